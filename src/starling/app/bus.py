"""The ports between gateway and recognizer, together."""

from __future__ import annotations

from dataclasses import dataclass

from starling.core.ports import AudioLog, LoadBoard, ResultBus


@dataclass(frozen=True, slots=True, kw_only=True)
class Bus:
    """Everything that a gateway and a recognizer share."""

    audio_log: AudioLog
    results: ResultBus
    board: LoadBoard
