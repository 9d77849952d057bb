from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from recordings import recording
from starling.engine.moonshine.engine import Model
from starling.engine.moonshine.graphs import SHORTEST
from starling.engine.moonshine.tokens import BEGIN

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def states(moonshine: Model) -> NDArray[np.float32]:
    return moonshine.encoder.encode(recording("beckett")[:32_000].astype(np.float32) / np.float32(32768))


def test_a_state_is_384_samples(states: NDArray[np.float32]) -> None:
    assert states.shape == (1, 82, 288)
    assert states.dtype == np.float32


def test_the_shortest_audio_has_one_state(moonshine: Model) -> None:
    assert moonshine.encoder.encode(np.zeros(SHORTEST, np.float32)).shape == (1, 1, 288)
    with pytest.raises(Exception, match="Invalid input shape"):
        moonshine.encoder.encode(np.zeros(SHORTEST - 1, np.float32))


def test_encoding_and_reading_give_the_same_bits_again(moonshine: Model, states: NDArray[np.float32]) -> None:
    again = moonshine.encoder.encode(recording("beckett")[:32_000].astype(np.float32) / np.float32(32768))
    assert np.array_equal(states, again)
    assert np.array_equal(moonshine.decoder.begin(states).read([BEGIN]), moonshine.decoder.begin(states).read([BEGIN]))


def test_a_row_of_logits_for_each_token_read(moonshine: Model, states: NDArray[np.float32]) -> None:
    transcription = moonshine.decoder.begin(states)
    assert transcription.read([BEGIN, 5, 6]).shape == (3, 32_768)
    assert transcription.read([7]).shape == (1, 32_768)


def test_rewinding_forgets_to_the_bit(moonshine: Model, states: NDArray[np.float32]) -> None:
    plain, rewound = moonshine.decoder.begin(states), moonshine.decoder.begin(states)
    plain.read([BEGIN])
    rewound.read([BEGIN])
    rewound.read([500])
    rewound.rewind(1)
    assert np.array_equal(plain.read([600]), rewound.read([600]))


def test_transcriptions_do_not_share_what_they_read(moonshine: Model, states: NDArray[np.float32]) -> None:
    one, other = moonshine.decoder.begin(states), moonshine.decoder.begin(states)
    assert np.array_equal(one.read([BEGIN]), other.read([BEGIN]))
    one.read([500])
    fresh = moonshine.decoder.begin(states)
    fresh.read([BEGIN])
    assert np.array_equal(other.read([600]), fresh.read([600]))
