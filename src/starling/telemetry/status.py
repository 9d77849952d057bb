"""What a process tells of itself at ``/status``: for people, in one look, and for scripts that want no metrics."""

from __future__ import annotations

import os
import platform
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final, Protocol

from starling.telemetry.health import Health
from starling.telemetry.metrics import Metrics
from starling.version import __version__

INSTANCE: Final = f"{platform.node()}-{os.getpid()}-{secrets.token_hex(3)}"
"""This process, among all of a platform and for ever: a host may give a number again."""

_STARTED: Final = time.monotonic()

_COUNTS: Final = {
    "clients": "starling_sessions_active",
    "chunks": "starling_frames_received_total",
    "results": "starling_results_sent_total",
    "segments": "starling_segments_total",
    "decodes": "starling_decodes_total",
    "withheld": "starling_texts_withheld_total",
}
"""What is shown, by the metric that it is the sum of."""

_ERRORS: Final = {
    "starling_sessions_ended_total": "error",
    "starling_segments_total": "failed",
    "starling_job_attempts_total": "failed",
}
"""Metrics with a label whose value tells of an error."""


class Model(Protocol):
    """What is told of a model."""

    @property
    def model(self) -> str: ...

    @property
    def model_version(self) -> str: ...


def audio_queue(lag: float, limit: float) -> dict[str, float]:
    """Audio that waits for recognition as a process knows of it, and may wait; in seconds."""
    return {"depth_seconds": round(lag, 3), "limit_seconds": limit}


def report(role: str, metrics: Metrics, health: Health, *, queue: Mapping[str, float], model: Model | None) -> dict[str, Any]:
    """``queue``: what waits for this process, and how much may."""
    totals: defaultdict[str, float] = defaultdict(float)
    errors = 0.0
    for family in metrics.registry.collect():
        for sample in family.samples:
            totals[sample.name] += sample.value
            if _ERRORS.get(sample.name) in sample.labels.values():
                errors += sample.value
    return {
        "role": role,
        "instance": INSTANCE,
        "version": __version__,
        "python": platform.python_version(),
        "model": None if model is None else model.model,
        "model_version": None if model is None else model.model_version,
        "uptime_seconds": round(time.monotonic() - _STARTED, 1),
        "queue": dict(queue),
        **{name: int(totals[metric]) for name, metric in _COUNTS.items()},
        "errors": int(errors),
        **health.report(),
    }
