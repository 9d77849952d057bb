"""Arrays for keys and values that one transcription has after another."""

from __future__ import annotations

import numpy as np
import pytest

from recordings import recording
from starling.engine.moonshine import Model
from starling.engine.moonshine.decoding import decode
from starling.engine.moonshine.graphs import token_limit
from starling.engine.moonshine.rebuilt import RebuiltGraphs, Room, Transcription
from starling.engine.moonshine.tokens import BEGIN

pytestmark = pytest.mark.model

LONG, SHORT = recording("two_cities")[16_000:80_000], recording("beckett")[:24_000]


@pytest.fixture
def graphs(moonshine: Model) -> RebuiltGraphs:
    assert isinstance(moonshine.graphs, RebuiltGraphs)
    return moonshine.graphs


def begin(graphs: RebuiltGraphs, audio: np.typing.NDArray[np.int16], *, attention: bool = True) -> Transcription:
    return graphs.begin([graphs.hear(audio)], capacity=token_limit(audio) + 1, attention=attention)


def room(transcription: Transcription) -> Room:
    return transcription._room


def test_a_room_is_used_again_and_what_was_left_in_it_changes_nothing(graphs: RebuiltGraphs) -> None:
    answers = []
    for audio in (SHORT, LONG, SHORT, SHORT):
        reader = begin(graphs, audio)
        (decoded,) = decode(reader, limits=[token_limit(audio)], drafts=[()], choices=3)
        answers.append((room(reader), decoded))
        del reader
    assert len({id(used) for used, _ in answers}) == 1
    first, _, *again = (decoded for _, decoded in answers)
    for decoded in again:
        assert decoded == first
        assert decoded.attention is not None
        assert first.attention is not None
        assert np.array_equal(decoded.attention, first.attention)


def test_nobody_gets_a_room_that_somebody_has(graphs: RebuiltGraphs) -> None:
    one, other = begin(graphs, SHORT), begin(graphs, LONG)
    assert room(one) is not room(other)
    before = one.read([[BEGIN]]).log_probabilities.copy()
    other.read([[BEGIN]])
    other.read([[600]])
    assert np.array_equal(one.read([[500]]).log_probabilities, _after(begin(graphs, SHORT)))
    assert np.array_equal(before, begin(graphs, SHORT).read([[BEGIN]]).log_probabilities)


def test_a_room_with_attention_is_not_given_to_whom_asks_for_none(graphs: RebuiltGraphs) -> None:
    with_it = begin(graphs, SHORT)
    kept = room(with_it)
    assert with_it.read([[BEGIN]]).attention is not None
    del with_it
    without = begin(graphs, SHORT, attention=False)
    assert room(without) is not kept
    assert without.read([[BEGIN]]).attention is None


def test_one_room_of_a_size_is_kept_and_none_of_unusual_sizes(graphs: RebuiltGraphs) -> None:
    together = [begin(graphs, SHORT) for _ in range(3)]
    rooms = {id(room(one)) for one in together}
    together.clear()
    assert id(room(begin(graphs, SHORT))) in rooms
    wide = graphs.begin_beam([graphs.hear(SHORT)] * 3, width=4, capacity=20)
    unusual = room(wide)
    del wide
    assert room(graphs.begin_beam([graphs.hear(SHORT)] * 3, width=4, capacity=20)) is not unusual


def _after(reader: Transcription) -> np.typing.NDArray[np.float32]:
    reader.read([[BEGIN]])
    return reader.read([[500]]).log_probabilities
