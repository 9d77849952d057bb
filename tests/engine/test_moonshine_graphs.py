from __future__ import annotations

import itertools

import numpy as np
import pytest

from recordings import recording
from starling.core.audio import Samples
from starling.engine.moonshine import Model
from starling.engine.moonshine.agreement import compare
from starling.engine.moonshine.decoding import Choices, decode
from starling.engine.moonshine.graphs import Encoding, as_floats, token_limit
from starling.engine.moonshine.hearing import SHORTEST
from starling.engine.moonshine.rebuilt import RebuiltGraphs
from starling.engine.moonshine.tokens import BEGIN

pytestmark = pytest.mark.model

SPEECH = recording("two_cities")
PIECES: list[Samples] = [SPEECH[16_000:60_000], SPEECH[80_000:112_000], recording("beckett")[:32_000]]


@pytest.fixture(params=["moonshine", "exact_moonshine", "shipped_moonshine"])
def model(request: pytest.FixtureRequest) -> Model:
    model = request.getfixturevalue(request.param)
    assert isinstance(model, Model)
    return model


def encoding(model: Model) -> Encoding:
    return model.graphs.hear(as_floats(PIECES[2]))


def same(one: Choices, other: Choices) -> bool:
    return np.array_equal(one.tokens, other.tokens) and np.array_equal(one.log_probabilities, other.log_probabilities)


def copy(choices: Choices) -> Choices:
    """What a later read does not overwrite."""
    attention = None if choices.attention is None else choices.attention.copy()
    return Choices(choices.tokens.copy(), choices.log_probabilities.copy(), attention)


def test_a_frame_is_384_samples(model: Model) -> None:
    assert encoding(model).frames == 82


def test_the_shortest_audio_has_one_frame(model: Model) -> None:
    assert model.graphs.hear(np.zeros(SHORTEST, np.float32)).frames == 1
    with pytest.raises(Exception, match=r"Invalid input shape|at least 895 samples"):
        model.graphs.hear(np.zeros(SHORTEST - 1, np.float32))


def test_hearing_and_reading_give_the_same_bits_again(model: Model) -> None:
    one, other = (model.graphs.begin([encoding(model)], capacity=5) for _ in range(2))
    assert same(one.read([[BEGIN]]), other.read([[BEGIN]]))
    assert same(one.read([[500]]), other.read([[500]]))


def test_a_choice_for_each_token_read(model: Model) -> None:
    reader = model.graphs.begin([encoding(model)], capacity=5)
    first = reader.read([[BEGIN, 5, 6]])
    assert first.tokens[:, :3].shape == first.log_probabilities[:, :3].shape == (1, 3, 1)
    assert (first.log_probabilities[:, :3] < 0).all()
    assert reader.read([[7]]).tokens.shape == (1, 1, 1)


def test_rewinding_forgets_to_the_bit(model: Model) -> None:
    plain, rewound = (model.graphs.begin([encoding(model)], capacity=5) for _ in range(2))
    plain.read([[BEGIN]])
    rewound.read([[BEGIN]])
    rewound.read([[500]])
    rewound.rewind(0, 1)
    assert same(plain.read([[600]]), rewound.read([[600]]))


def test_transcriptions_do_not_share_what_they_read(model: Model) -> None:
    heard = encoding(model)
    one, other, fresh = (model.graphs.begin([heard], capacity=5) for _ in range(3))
    one.read([[BEGIN]])
    other.read([[BEGIN]])
    one.read([[500]])
    fresh.read([[BEGIN]])
    assert same(other.read([[600]]), fresh.read([[600]]))


@pytest.mark.parametrize("together", [*itertools.permutations(range(3), 2)])
def test_exact_rows_depend_on_their_own_audio_and_tokens_to_the_bit(exact_moonshine: Model, together: tuple[int, int]) -> None:
    """Whatever the length of the others' audio and drafts."""
    graphs = exact_moonshine.graphs
    heard = {place: graphs.hear(as_floats(PIECES[place])) for place in together}
    tokens = {0: [[BEGIN, 300, 400, 500], [600], [601]], 1: [[BEGIN], [700], [701]], 2: [[BEGIN, 800], [801], [802]]}
    alone = []
    for place in together:
        reader = graphs.begin([heard[place]], capacity=10)
        alone.append([copy(reader.read([row])) for row in tokens[place]])
    reader = graphs.begin([heard[place] for place in together], capacity=10)
    for step in range(3):
        rows = [tokens[place][step] for place in together]
        answer = reader.read(rows)
        for number, row in enumerate(rows):
            expected = alone[number][step]
            assert np.array_equal(answer.tokens[number, : len(row)], expected.tokens[0, : len(row)])
            assert np.array_equal(answer.log_probabilities[number, : len(row)], expected.log_probabilities[0, : len(row)])


def test_exact_drafts_change_no_token(exact_moonshine: Model) -> None:
    heard, limit = encoding(exact_moonshine), token_limit(PIECES[2])
    answers = []
    draft: tuple[int, ...] = ()
    for _ in range(2):
        (answer,) = decode(exact_moonshine.graphs.begin([heard], capacity=limit + 1), limits=[limit], drafts=[draft])
        answers.append(answer)
        draft = answer.tokens
    assert answers[0].tokens == answers[1].tokens
    assert np.allclose(answers[0].log_probabilities, answers[1].log_probabilities, atol=1e-4)


@pytest.mark.parametrize("name", ["moonshine", "exact_moonshine"])
def test_attention_is_a_distribution_over_the_frames_that_exist(name: str, request: pytest.FixtureRequest) -> None:
    graphs = request.getfixturevalue(name).graphs
    assert isinstance(graphs, RebuiltGraphs)
    heard = graphs.hear(as_floats(PIECES[2]))
    attention = graphs.begin([heard], capacity=3, attention=True).read([[BEGIN, 500]]).attention
    assert attention is not None
    assert attention.shape[:2] == (1, 2)
    assert np.allclose(attention[:, :, : heard.frames].sum(axis=-1), 1, atol=1e-5)
    assert not attention[:, :, heard.frames :].any()


def test_int8_texts_are_hardly_further_from_the_shipped_graphs_than_exact_ones(
    moonshine: Model, exact_moonshine: Model, shipped_moonshine: Model
) -> None:
    pieces = [SPEECH[start : start + 80_000] for start in range(0, len(SPEECH) - 16_000, 80_000)]
    ours, exact = (
        compare(model.graphs, shipped_moonshine.graphs, model.vocabulary, pieces) for model in (moonshine, exact_moonshine)
    )
    assert ours.holds
    assert ours.different <= exact.different + 0.03 * exact.words  # the shipped graphs are of whole numbers, too
