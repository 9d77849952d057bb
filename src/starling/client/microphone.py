"""Audio from this machine's microphone, through PortAudio (the optional extra ``mic``).

PortAudio calls back on a thread of its own, every 100 ms.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from starling.client.handover import Handover
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


@dataclass(frozen=True, slots=True)
class Capture:
    """An open microphone. ``audio``: how its blocks are encoded, for the session; ``blocks``: iterate over them."""

    audio: AudioFormat
    blocks: Handover[bytes]


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
    blocks: Handover[bytes] = Handover(HELD_BLOCKS)

    def record(data: Any, _frames: int, _time: Any, _status: Any) -> None:
        if not blocks.put(bytes(data)):  # audio is not dropped in silence
            seconds = HELD_BLOCKS / BLOCKS_PER_SECOND
            blocks.close(MicrophoneFailed(f"the server has taken no audio for {seconds:g} s: check the connection, start again"))

    def stopped() -> None:
        blocks.close(MicrophoneFailed("the microphone stopped: was it unplugged?"))

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
        yield Capture(AudioFormat(Encoding.PCM_S16LE, rate), blocks)


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
