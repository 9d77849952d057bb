"""What a transcriber stands on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from starling.core.job_store import JobStore, Recordings
from starling.core.jobs import JobError
from starling.telemetry.metrics import Metrics
from starling.telemetry.spans import NO_TRACER, Tracer
from starling.transcriber.messages import Order, Over, Told


class Undone(Exception):
    """A recording was not done, for the reason ``error``."""

    def __init__(self, error: JobError) -> None:
        super().__init__(error.code)
        self.error = error


class NoScribe(Exception):
    """There is nobody to do it now: no process, no memory or no model to be had. It is not the recording's fault."""


class Scribes(Protocol):
    """Who does recordings."""

    async def transcribe(self, order: Order, file: BinaryIO, told: Callable[[Told], Awaitable[None]]) -> Over:
        """Have ``order`` done. ``file``: the recording, read on other threads. ``told`` gets what is found, in order.

        Raises Undone, NoScribe, and what ``told`` raises. Cancelled or not, nobody works on it any more afterwards.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """``time``: Unix seconds. ``draw``: numbers from 0 to 1, so that many transcribers do not all come at once.

    ``tracer``: who is told what became of attempts.
    """

    store: JobStore
    recordings: Recordings
    scribes: Scribes
    metrics: Metrics
    time: Callable[[], float]
    draw: Callable[[], float]
    tracer: Tracer = NO_TRACER
