from __future__ import annotations

import numpy as np
import pytest
import webrtcvad

from contracts.vad_contract import cut, framed
from recordings import recording
from starling.core.audio import FRAME
from starling.vad.webrtc import AGGRESSIVENESS, GAIN, HOLD, VoicedPieces, WebRtc


def test_a_share_counts_the_pieces_that_end_in_the_frame() -> None:
    frames = framed(recording("beckett"))
    vad = webrtcvad.Vad(AGGRESSIVENESS)  # type: ignore[no-untyped-call]  # the wheel has no types
    loud = (frames.ravel().clip(-8192, 8191) * np.int16(GAIN)).reshape(-1)
    ends = np.arange(160, len(loud) + 1, 160)
    voiced = np.array([vad.is_speech(loud[end - 160 : end].tobytes(), 16_000) for end in ends])  # type: ignore[no-untyped-call]  # the wheel has no types
    frame_of_end = (ends - 1) // FRAME
    expected = [voiced[frame_of_end == i].mean() for i in range(len(frames))]
    assert VoicedPieces(AGGRESSIVENESS, GAIN).shares(frames) == pytest.approx(expected)
    assert set(np.bincount(frame_of_end)) == {3, 4}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_cuts_change_nothing(size: int) -> None:
    frames = framed(recording("beckett"))
    pieces = VoicedPieces(AGGRESSIVENESS, GAIN)
    shares = [share for part in cut(frames, range(0, len(frames), size)) for share in pieces.shares(part)]
    assert shares == VoicedPieces(AGGRESSIVENESS, GAIN).shares(frames)


def test_voice_is_held_and_then_let_go() -> None:
    speech = framed(recording("two_cities"))[20:60]
    frames = np.concatenate((speech, np.zeros((60, FRAME), np.int16)))
    shares, scores = VoicedPieces(AGGRESSIVENESS, GAIN).shares(frames), WebRtc().score(frames)
    last = max(i for i, share in enumerate(shares) if share)
    assert scores[last + HOLD] == shares[last]
    assert np.all(scores[last + HOLD + 1 :] == 0)
    assert last < 60


def test_whoever_speaks_at_a_twentieth_of_the_level_is_heard() -> None:
    frames = framed(recording("two_cities"))
    full, quiet = WebRtc().score(frames) >= 0.5, WebRtc().score(frames // 20) >= 0.5
    assert np.mean(quiet[full]) > 0.9
