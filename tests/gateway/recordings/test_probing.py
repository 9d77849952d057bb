"""Recordings are looked into by a process that may die of them."""

from __future__ import annotations

import io
import os
import signal
import wave

import pytest

from gateway.gateway_harness import run
from starling.core.errors import CorruptAudio, UnsupportedAudio
from starling.gateway.recordings import probing
from starling.gateway.recordings.probing import Probed, ProbingProcesses


def wav(seconds: float = 1.5, channels: int = 2) -> io.BytesIO:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\0\0" * channels * round(seconds * 16_000))
    made.seek(0)
    return made


def test_recordings_of_all_kinds_one_after_the_other() -> None:
    async def scenario() -> None:
        prober = ProbingProcesses(timeout=30)
        try:
            found = await prober.probe(wav())
            assert found == Probed(media_type=found.media_type, codec="pcm_s16le", channels=2, duration=found.duration)
            assert found.duration == pytest.approx(1.5)
            assert found.media_type.startswith("audio/")
            for _ in range(2):
                with pytest.raises(CorruptAudio):
                    await prober.probe(io.BytesIO(b"no recording at all"))
            with pytest.raises((CorruptAudio, UnsupportedAudio)):
                await prober.probe(io.BytesIO(b""))
            assert (await prober.probe(wav(0.5, 1))).channels == 1
            assert len(prober._free) == 1
        finally:
            await prober.close()

    run(scenario)


class Deadly(io.BytesIO):
    """Kills whoever reads it, as a damaged file can."""

    prober: ProbingProcesses
    pid = 0

    def read(self, size: int | None = -1, /) -> bytes:
        os.kill(self.pid, signal.SIGKILL)
        return super().read(size)


def test_a_recording_that_ends_its_reader_ends_nothing_else() -> None:
    async def scenario() -> None:
        prober = ProbingProcesses(timeout=30)
        try:
            await prober.probe(wav())
            deadly = Deadly(wav().getvalue())
            deadly.pid = prober._free[0].pid
            with pytest.raises(CorruptAudio, match="broke its reader"):
                await prober.probe(deadly)
            assert (await prober.probe(wav())).channels == 2
        finally:
            await prober.close()

    run(scenario)


def test_a_reader_that_is_kept_busy_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            return 0

        def read(self, size: int | None = -1, /) -> bytes:
            return b"\0" * 16

    async def scenario() -> None:
        prober = ProbingProcesses(timeout=0.5)
        try:
            with pytest.raises((CorruptAudio, UnsupportedAudio)):
                await prober.probe(Endless())
        finally:
            await prober.close()

    run(scenario)
    assert probing.PROBERS >= 1
