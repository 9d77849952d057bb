from __future__ import annotations

import numpy as np
import pytest

from recordings import recording
from starling.core.audio import samples
from starling.engine.moonshine import Model
from starling.engine.moonshine.construction.encoder import build_ear, build_encoder
from starling.engine.moonshine.construction.extraction import encoder_weights
from starling.engine.moonshine.graphs import as_floats
from starling.engine.moonshine.hearing import ECHO_WIDTH, SHORTEST, STRIDE, Echoes, GrowingEncoder
from starling.engine.moonshine.options import Precision
from starling.engine.moonshine.shipped import Encoder
from starling.engine.moonshine.weights import read_weights, wheel_folder

SPEECH = as_floats(recording("two_cities")[: samples(8.0)])


def growing(seed: int) -> list[int]:
    """Lengths of an utterance at its partials: often a few samples more, sometimes none, sometimes a second."""
    random = np.random.default_rng(seed)
    steps = random.choice([0, 1, STRIDE, 3 * STRIDE, samples(0.1), samples(0.3), samples(1.0)], size=40)
    lengths = SHORTEST + np.cumsum(steps)
    return [int(length) for length in lengths if length <= len(SPEECH)]


@pytest.mark.model
@pytest.mark.parametrize("name", ["moonshine", "exact_moonshine"])
@pytest.mark.parametrize("seed", range(4))
def test_what_was_heard_bit_by_bit_is_to_the_bit_what_is_heard_at_once(
    name: str, seed: int, request: pytest.FixtureRequest
) -> None:
    graphs = request.getfixturevalue(name).graphs
    echoes = Echoes()
    for length in growing(seed):
        bit_by_bit, at_once = graphs.hear(SPEECH[:length], echoes), graphs.hear(SPEECH[:length])
        assert bit_by_bit.frames == at_once.frames
        assert all(np.array_equal(one, other) for one, other in zip(bit_by_bit.arrays, at_once.arrays, strict=True))


@pytest.mark.model
def test_states_in_floats_are_nearly_those_of_the_shipped_encoder() -> None:
    """What is left is the error of int8 products: a wrong graph is off by as much as a state is large."""
    model = read_weights(wheel_folder()).encoder
    weights = encoder_weights(model)
    shipped, rebuilt = (
        Encoder(model),
        GrowingEncoder(build_ear(weights, Precision.EXACT), build_encoder(weights, Precision.EXACT)),
    )
    for length in (SHORTEST, samples(0.5), samples(3.0), len(SPEECH)):
        ours, theirs = rebuilt.encode(SPEECH[:length]), shipped.encode(SPEECH[:length])
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).mean() < 0.25 * np.abs(theirs).mean()


@pytest.mark.model
@pytest.mark.parametrize("volume", [1.0, 0.01])
def test_echoes_of_whole_numbers_lead_nearly_to_the_states_of_those_in_floats(volume: float) -> None:
    """An error of 1 %, where that of the layers' own int8 products is 4 %."""
    weights = encoder_weights(read_weights(wheel_folder()).encoder)
    encoder = build_encoder(weights, Precision.EXACT)
    whole, floats = (GrowingEncoder(build_ear(weights, precision), encoder) for precision in (Precision.INT8, Precision.EXACT))
    found, expected = (one.encode(SPEECH * np.float32(volume)) for one in (whole, floats))
    assert np.square(found - expected).mean() < 0.02**2 * np.square(expected).mean()


@pytest.mark.model
def test_silence_has_echoes_too(moonshine: Model) -> None:
    silence = moonshine.graphs.hear(np.zeros(16_000, np.float32))
    assert all(np.isfinite(array).all() for array in silence.arrays)


def test_echoes_keep_what_came_first() -> None:
    echoes = Echoes()
    first, second = np.full((3, ECHO_WIDTH), 1, np.float32), np.full((4, ECHO_WIDTH), 2, np.float32)
    echoes.put(0, first, np.ones(13, np.float32), np.ones(13, np.float32))
    echoes.put(2, second, np.ones(15, np.float32), np.ones(15, np.float32))
    assert echoes.heard[:, 0].tolist() == [1, 1, 1, 2, 2, 2]
    assert len(echoes) == 6
    echoes.clear()
    assert len(echoes.heard) == 0


def test_the_norm_is_over_all_sounds_once() -> None:
    sounds = np.random.default_rng(0).normal(0.01, 0.1, (30, 288)).astype(np.float32)
    echoes = Echoes()
    for start, end in ((0, 13), (6, 30)):
        part = sounds[start:end]
        count = (len(part) - 7) // 3 + 1
        echoes.put(start // 3, np.zeros((count, ECHO_WIDTH), np.float32), part.sum(axis=1), np.square(part).sum(axis=1))
    scale, offset = echoes.norm()
    normed = sounds * scale + offset
    assert normed.mean() == pytest.approx(0, abs=1e-4)
    assert normed.std() == pytest.approx(1, abs=2e-3)
