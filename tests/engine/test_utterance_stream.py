from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.core.audio import SAMPLE_RATE
from starling.core.errors import ClientError
from starling.engine.stream import UtteranceStream


@given(cuts=st.lists(st.integers(0, 40_000), max_size=20), end=st.integers(-10, 200_000))
def test_a_snapshot_is_what_was_accepted_and_stays_so(cuts: list[int], end: int) -> None:
    samples = (np.arange(sum(cuts)) % 30_000).astype(np.int16)
    stream = UtteranceStream(limit=20 * 40_000)
    snapshots = []
    position = 0
    for cut in cuts:
        stream.accept_waveform(samples[position : position + cut])
        position += cut
        snapshots.append((position, stream.snapshot()))
    stream.input_finished(end)
    for length, snapshot in snapshots:
        assert np.array_equal(snapshot.samples, samples[:length])
        assert not snapshot.is_final
    last = stream.snapshot()
    assert np.array_equal(last.samples, samples[: max(end, 0)])
    assert last.is_final


def test_what_is_over_the_limit_is_refused_whole() -> None:
    stream = UtteranceStream(limit=SAMPLE_RATE)
    stream.accept_waveform(np.ones(10_000, np.int16))
    with pytest.raises(ClientError, match=r"at most 1 s, got 1\.25 s"):
        stream.accept_waveform(np.ones(10_000, np.int16))
    stream.accept_waveform(np.ones(6_000, np.int16))
    assert len(stream.snapshot().samples) == SAMPLE_RATE


def test_a_snapshot_cannot_be_written_to() -> None:
    stream = UtteranceStream(limit=SAMPLE_RATE)
    stream.accept_waveform(np.ones(10, np.int16))
    with pytest.raises(ValueError, match="read-only"):
        stream.snapshot().samples[0] = 2
