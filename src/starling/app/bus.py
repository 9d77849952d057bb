"""The ports between gateway and recognizer, together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from starling.bus.memory import MemoryAudioLog, MemoryLoadBoard, MemoryResultBus
from starling.core.ports import AudioLog, LoadBoard, ResultBus


@dataclass(frozen=True, slots=True, kw_only=True)
class Bus:
    """Everything that a gateway and a recognizer share."""

    audio_log: AudioLog
    results: ResultBus
    board: LoadBoard

    @classmethod
    def in_memory(cls, *, max_lead: int) -> Self:
        """For one process. ``max_lead``: in samples, see MemoryAudioLog."""
        return cls(audio_log=MemoryAudioLog(max_lead=max_lead), results=MemoryResultBus(), board=MemoryLoadBoard())
