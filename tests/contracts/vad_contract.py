"""What every Vad promises. A test module inherits VadContract and says how to make its detector."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recordings import recording
from starling.core.audio import FRAME, Frames, Samples
from starling.core.config import VadMode
from starling.core.errors import IllegalTransition, ShuttingDown, UnsupportedAudio
from starling.core.ports import Probabilities, Vad, VadStream

MODES = tuple(VadMode)
LISTENING = (VadMode.BOTH, VadMode.SILERO, VadMode.WEBRTC)
LENGTH = 60


def framed(samples: Samples) -> Frames:
    return samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)


def speech() -> list[Frames]:
    """Four listeners' worth of real speech, each ``LENGTH`` frames from elsewhere in the recordings."""
    frames = np.concatenate([framed(recording(name)) for name in ("two_cities", "beckett", "endgame_nagg_nell")])
    return [frames[start : start + LENGTH] for start in (0, 700, 1_500, 2_000)]


def alone(vad: Vad, mode: VadMode, frames: Frames) -> Probabilities:
    (scores,) = vad.score([(vad.create_stream(mode), frames)])
    return scores


def cut(frames: Frames, borders: Iterable[int]) -> list[Frames]:
    edges = sorted({0, len(frames), *borders})
    return [frames[start:end] for start, end in itertools.pairwise(edges)]


class VadContract:
    @pytest.fixture
    def vad(self) -> Vad:
        raise NotImplementedError

    @pytest.mark.parametrize("mode", MODES)
    def test_each_frame_gets_a_probability(self, vad: Vad, mode: VadMode) -> None:
        for frames in (*speech(), np.full((3, FRAME), -32768, np.int16), np.full((2, FRAME), 32767, np.int16)):
            scores = alone(vad, mode, frames)
            assert scores.dtype == np.float32
            assert scores.shape == (len(frames),)
            assert np.all((scores >= 0) & (scores <= 1))

    def test_a_batch_of_none_has_no_scores(self, vad: Vad) -> None:
        assert vad.score([]) == []

    @pytest.mark.parametrize("mode", LISTENING)
    def test_silence_is_not_speech(self, vad: Vad, mode: VadMode) -> None:
        assert alone(vad, mode, np.zeros((LENGTH, FRAME), np.int16)).max() < 0.2

    @pytest.mark.parametrize("mode", MODES)
    def test_speech_is_speech(self, vad: Vad, mode: VadMode) -> None:
        for frames in speech():
            assert np.mean(alone(vad, mode, frames) >= 0.5) > 0.3  # the recordings pause

    def test_off_is_always_sure(self, vad: Vad) -> None:
        assert np.all(alone(vad, VadMode.OFF, np.zeros((5, FRAME), np.int16)) == 1.0)

    @given(data=st.data())
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.differing_executors, HealthCheck.function_scoped_fixture],
    )
    def test_neither_company_nor_cuts_change_a_bit(self, vad: Vad, data: st.DataObject) -> None:
        """Listeners of mixed modes, each cut in its own way, scored in whatever batches that gives."""
        voices = [frames[: data.draw(st.integers(1, LENGTH))] for frames in speech()]
        modes = [data.draw(st.sampled_from(MODES)) for _ in voices]
        streams = [vad.create_stream(mode) for mode in modes]
        waiting = [cut(frames, data.draw(st.sets(st.integers(0, len(frames)), max_size=6))) for frames in voices]
        heard: list[list[Probabilities]] = [[] for _ in voices]
        while any(waiting):
            ready = [i for i, chunks in enumerate(waiting) if chunks]
            members = data.draw(st.permutations(ready))[: data.draw(st.integers(1, len(ready)))]
            for i, scores in zip(members, vad.score([(streams[i], waiting[i].pop(0)) for i in members]), strict=True):
                heard[i].append(scores)
        for frames, mode, parts in zip(voices, modes, heard, strict=True):
            np.testing.assert_array_equal(np.concatenate(parts), alone(vad, mode, frames), strict=True)

    @pytest.mark.parametrize("mode", LISTENING)
    def test_a_new_stream_has_heard_nothing(self, vad: Vad, mode: VadMode) -> None:
        quiet, loud, *_ = np.zeros((10, FRAME), np.int16), speech()[0]
        before = alone(vad, mode, quiet)
        alone(vad, mode, loud)
        np.testing.assert_array_equal(alone(vad, mode, quiet), before)

    def test_the_frames_are_left_as_they_were(self, vad: Vad) -> None:
        frames = speech()[0].copy()
        frames.flags.writeable = False
        for mode in MODES:
            alone(vad, mode, frames)
        np.testing.assert_array_equal(frames, speech()[0])

    @pytest.mark.parametrize(
        "frames",
        [
            np.zeros((2, FRAME), np.float32),
            np.zeros(FRAME, np.int16),
            np.zeros((0, FRAME), np.int16),
            np.zeros((2, FRAME - 1), np.int16),
            np.zeros((2, FRAME, 1), np.int16),
        ],
        ids=["dtype", "axis", "empty", "short", "extra axis"],
    )
    @pytest.mark.parametrize("mode", MODES)
    def test_a_refused_batch_changes_nobody(self, vad: Vad, mode: VadMode, frames: Frames) -> None:
        voice = speech()[0]
        stream = vad.create_stream(mode)
        (first,) = vad.score([(stream, voice[:20])])
        with pytest.raises(UnsupportedAudio, match="int16"):
            vad.score([(stream, voice[20:]), (vad.create_stream(mode), frames)])
        (rest,) = vad.score([(stream, voice[20:])])
        np.testing.assert_array_equal(np.concatenate((first, rest)), alone(vad, mode, voice))

    def test_a_listener_comes_once_in_a_batch(self, vad: Vad) -> None:
        stream = vad.create_stream(VadMode.BOTH)
        with pytest.raises(IllegalTransition, match="once"):
            vad.score([(stream, speech()[0]), (stream, speech()[1])])

    def test_a_strange_stream_is_refused(self, vad: Vad) -> None:
        class Strange:
            pass

        batch: Sequence[tuple[VadStream, Frames]] = [(Strange(), speech()[0])]
        with pytest.raises(IllegalTransition, match="Strange"):
            vad.score(batch)

    def test_a_closed_detector_scores_no_more(self, vad: Vad) -> None:
        stream = vad.create_stream(VadMode.BOTH)
        vad.close()
        vad.close()
        with pytest.raises(ShuttingDown, match="closed"):
            vad.score([(stream, speech()[0])])
