"""Audio from this machine's microphone, through PortAudio (the optional extra ``mic``).

PortAudio calls back on a thread of its own, every 100 ms. ``Handover`` carries the blocks to asyncio: bounded, and never blocking
that thread.
"""

from __future__ import annotations

import asyncio
import importlib
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from starling.core.audio import SAMPLE_RATE, AudioFormat, Encoding
from starling.core.errors import StarlingError

BLOCKS_PER_SECOND: Final = 10
HELD_BLOCKS: Final = 60 * BLOCKS_PER_SECOND
"""How much recorded audio may wait for the server: one minute."""


class MicrophoneFailed(StarlingError):
    """There is no microphone, it cannot be opened, or it stopped."""

    code = "microphone_failed"


@dataclass(frozen=True, slots=True)
class Device:
    """An input device. ``index`` or any unambiguous part of ``name`` selects it."""

    index: int
    name: str
    channels: int
    is_default: bool


class Handover:
    """Blocks of audio from a foreign thread to one asyncio reader. Make it on the reader's loop.

    ``put`` and ``close`` may be called on any thread and never wait. When ``limit`` blocks wait unread, the reader gets those and
    then MicrophoneFailed: audio is not dropped in silence.
    """

    def __init__(self, limit: int = HELD_BLOCKS) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._blocks: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._over: StarlingError | None = None

    def put(self, block: bytes) -> None:
        if self._over is not None:
            return
        if len(self._blocks) == self._limit:
            seconds = self._limit / BLOCKS_PER_SECOND
            self._over = MicrophoneFailed(f"the server has taken no audio for {seconds:g} s: check the connection, start again")
        else:
            self._blocks.append(block)
        self._wake()

    def close(self, reason: str) -> None:
        """No more blocks come; what waits can still be read."""
        self._over = self._over or MicrophoneFailed(reason)
        self._wake()

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self._arrived.clear()
            while self._blocks:
                yield self._blocks.popleft()
            if self._over is not None:
                raise self._over
            await self._arrived.wait()


@dataclass(frozen=True, slots=True)
class Capture:
    """An open microphone. ``audio``: how its blocks are encoded, for the session; ``blocks``: iterate over them."""

    audio: AudioFormat
    blocks: Handover


def list_devices() -> list[Device]:
    """The input devices of this machine. Raises MicrophoneFailed when PortAudio is not installed."""
    portaudio = _portaudio()
    default = portaudio.default.device[0]
    return [
        Device(index, found["name"], found["max_input_channels"], index == default)
        for index, found in enumerate(portaudio.query_devices())
        if found["max_input_channels"] > 0
    ]


@contextmanager
def open_microphone(device: int | str | None = None) -> Iterator[Capture]:
    """Record from ``device`` (an index, part of a name, or None for the default) until the way out.

    Takes 16 kHz if the device has it, else the device's own rate. Needs a running event loop. Raises MicrophoneFailed.
    """
    portaudio = _portaudio()
    handover = Handover()

    def record(data: Any, _frames: int, _time: Any, _status: Any) -> None:
        handover.put(bytes(data))

    def stopped() -> None:
        handover.close("the microphone stopped: was it unplugged?")

    try:
        rate = _rate(portaudio, device)
        stream = portaudio.RawInputStream(
            samplerate=rate,
            blocksize=rate // BLOCKS_PER_SECOND,
            device=device,
            channels=1,
            dtype="int16",
            callback=record,
            finished_callback=stopped,
        )
    except (portaudio.PortAudioError, ValueError) as error:
        said = error.args[0] if error.args else error
        raise MicrophoneFailed(f"cannot record: {said}. See `starling mic --list-devices`") from None
    with stream:
        yield Capture(AudioFormat(Encoding.PCM_S16LE, rate), handover)


def _rate(portaudio: Any, device: int | str | None) -> int:
    own: int = round(portaudio.query_devices(device, "input")["default_samplerate"])
    try:
        portaudio.check_input_settings(device=device, channels=1, dtype="int16", samplerate=SAMPLE_RATE)
    except portaudio.PortAudioError:
        return own
    return SAMPLE_RATE


def _portaudio() -> Any:
    try:
        return importlib.import_module("sounddevice")
    except ImportError:
        raise MicrophoneFailed("the microphone needs an extra package: pip install 'starling[mic]'") from None
    except OSError:
        raise MicrophoneFailed("the microphone needs PortAudio: apt-get install libportaudio2 (on Debian)") from None
