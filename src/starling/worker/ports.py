"""The seams that a recognizer stands on."""

from __future__ import annotations

from dataclasses import dataclass

from starling.core.ports import AudioLog, Clock, Engine, LoadBoard, ResultBus, Vad, Witness
from starling.scheduler.competition import RunQueue
from starling.telemetry.metrics import Metrics
from starling.telemetry.spans import NO_TRACER, Tracer


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a recognizer stands on.

    ``run_queue``: None where nobody ever waits for a core, or nobody knows. ``tracer``: who is told what became of segments.
    """

    audio_log: AudioLog
    results: ResultBus
    board: LoadBoard
    engine: Engine
    vad: Vad
    clock: Clock
    metrics: Metrics
    witness: Witness
    run_queue: RunQueue | None = None
    tracer: Tracer = NO_TRACER
