"""Recordings are looked into by a process that may die of them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import wave

import pytest

from gateway.gateway_harness import run
from patience import PATIENCE
from processes import alive
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
        prober = ProbingProcesses(timeout=PATIENCE)
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


GATEWAY = """
import asyncio, io
from starling.gateway.recordings.probing import ProbingProcesses

class Endless(io.BytesIO):
    def read(self, size=-1, /):
        while True:
            print(prober_pid(), flush=True)
            import time; time.sleep(600)

def prober_pid():
    import os, pathlib
    return [pid for task in pathlib.Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()][0]

asyncio.run(ProbingProcesses(timeout=600).probe(Endless(b"RIFF")))
"""
"""Whose prober waits in the middle of a recording."""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell nobody that a parent ended")
def test_a_prober_ends_with_its_gateway_whatever_it_does_then() -> None:
    with subprocess.Popen([sys.executable, "-c", GATEWAY], stdout=subprocess.PIPE, text=True) as gateway:  # noqa: S603
        assert gateway.stdout is not None
        pid = int(gateway.stdout.readline())
        os.kill(pid, signal.SIGSTOP)  # it cannot notice by itself, as where it is deep in a decoder
        gateway.kill()
    latest = time.monotonic() + PATIENCE
    while alive(pid):
        assert time.monotonic() < latest
        time.sleep(0.01)


def test_a_prober_whose_parent_is_another_process_by_now_does_not_begin() -> None:
    ended = subprocess.run([sys.executable, "-m", "starling.audio.prober", "1"], stdin=subprocess.DEVNULL, check=False)
    assert ended.returncode == -signal.SIGKILL


class Deadly(io.BytesIO):
    """Kills whoever reads it, as a damaged file can."""

    prober: ProbingProcesses
    pid = 0

    def read(self, size: int | None = -1, /) -> bytes:
        os.kill(self.pid, signal.SIGKILL)
        return super().read(size)


def test_a_recording_that_ends_its_reader_ends_nothing_else() -> None:
    async def scenario() -> None:
        prober = ProbingProcesses(timeout=PATIENCE)
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
