"""A scripted PortAudio, in the place of sounddevice."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Self


class PortAudioError(Exception):
    pass


class FakePortAudio:
    """The part of sounddevice that is used. ``rates``: what the devices can do besides their own 48 kHz.

    ``recorded``: blocks that a stream hears as soon as it starts.
    """

    PortAudioError = PortAudioError

    def __init__(self, *, rates: tuple[int, ...] = (16_000,)) -> None:
        self.rates = rates
        self.default = SimpleNamespace(device=(1, 2))
        self.opened: list[dict[str, Any]] = []
        self.running = 0
        self.recorded: list[bytes] = []

    def query_devices(self, device: int | str | None = None, kind: str | None = None) -> Any:
        devices = [
            {"name": "monitor", "max_input_channels": 0, "default_samplerate": 48_000.0},
            {"name": "headset", "max_input_channels": 1, "default_samplerate": 48_000.0},
            {"name": "array", "max_input_channels": 4, "default_samplerate": 48_000.0},
        ]
        if kind is None:
            return devices
        if device == "none":
            raise ValueError("No input device matching 'none'")
        return devices[1]

    def check_input_settings(self, *, samplerate: int, **_: Any) -> None:
        if samplerate not in self.rates:
            raise PortAudioError("Invalid sample rate", -9997)

    def RawInputStream(self, **settings: Any) -> FakeStream:  # noqa: N802 - sounddevice's name
        self.opened.append(settings)
        return FakeStream(self, settings["callback"])


class FakeStream:
    def __init__(self, owner: FakePortAudio, callback: Callable[..., None]) -> None:
        self._owner = owner
        self._callback = callback

    def __enter__(self) -> Self:
        self._owner.running += 1
        for block in self._owner.recorded:
            self._callback(block, len(block) // 2, None, None)
        return self

    def __exit__(self, *_: object) -> None:
        self._owner.running -= 1
