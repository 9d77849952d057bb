"""What a recording is, found in another process: FFmpeg reads what strangers sent, and a crash of it ends nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from typing import IO, Any, BinaryIO, Final, Protocol

from starling.core.errors import CorruptAudio, StarlingError
from starling.protocols.errors import kind_of

MODULE: Final = "starling.audio.prober"

PROBERS: Final = 2
"""Processes at once."""

SINGLE: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""A pool of threads per core would take the address space that a prober may have, before it has looked at anything."""

MAX_LINE: Final = 1 << 16
MAX_READ: Final = 1 << 24

UNREADABLE: Final = "expected a recording, got a file that broke its reader or kept it busy: it may be damaged; convert it anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What is inside. ``duration``: seconds, None where the header does not say; ``codec``: FFmpeg's name of it."""

    media_type: str
    codec: str
    channels: int
    duration: float | None = None


class Prober(Protocol):
    """Looks into recordings."""

    async def probe(self, file: BinaryIO) -> Probed:
        """What ``file`` is. Raises CorruptAudio and UnsupportedAudio."""

    async def close(self) -> None:
        """Free what is held."""


class ProbingProcesses:
    """Up to ``PROBERS`` processes that look into one recording each, for ``timeout`` seconds at most. They start when needed."""

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        self._free: list[subprocess.Popen[bytes]] = []
        self._places = asyncio.Semaphore(PROBERS)

    async def probe(self, file: BinaryIO) -> Probed:
        async with self._places:
            free = self._free.pop() if self._free else None
            process = free if free is not None and free.poll() is None else _started()
            found = await asyncio.to_thread(_probe, process, file, self._timeout)
            if found is not None:
                self._free.append(process)
        if found is None:
            raise CorruptAudio(UNREADABLE)
        if "code" in found:
            raise _error(found)
        return Probed(**found)

    async def close(self) -> None:
        free, self._free = self._free, []
        for process in free:
            await asyncio.to_thread(_end, process)


def _started() -> subprocess.Popen[bytes]:
    """A new one. It ends with the thread that starts it (PR_SET_PDEATHSIG), so that is the one of the event loop."""
    return subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-m", MODULE, str(os.getpid())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | SINGLE
    )


def _probe(process: subprocess.Popen[bytes], file: BinaryIO, timeout: float) -> dict[str, Any] | None:
    """What ``process`` found; None if it did not survive that."""
    assert process.stdin is not None
    assert process.stdout is not None
    watch = Timer(timeout, process.kill)
    watch.daemon = True
    watch.start()
    try:
        found = _serve(process.stdout, process.stdin, file)
    except (OSError, ValueError):
        found = None
    except BaseException:
        _end(process)
        raise
    finally:
        watch.cancel()
    if found is None:
        _end(process)
    return found


def _serve(wishes: IO[bytes], answers: IO[bytes], file: BinaryIO) -> dict[str, Any] | None:
    """Be the file of who looks into it, until that says what it found. Raises OSError and ValueError."""
    answers.write(b"\n")
    answers.flush()
    while line := wishes.readline(MAX_LINE):
        wish = json.loads(line)
        match wish:
            case {"read": int(size)}:
                data = file.read(min(size, MAX_READ) if size >= 0 else MAX_READ)
                answers.write(len(data).to_bytes(8, "little", signed=True) + data)
            case {"seek": [int(offset), int(whence)]}:
                answers.write(file.seek(offset, whence).to_bytes(8, "little", signed=True))
            case dict():
                return wish
            case _:
                return None
        answers.flush()
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def _error(found: dict[str, Any]) -> StarlingError:
    return kind_of(str(found["code"]))(str(found.get("message", UNREADABLE)))
