"""Sessions that speak in real time, over real sockets, with Starling's own client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bench.audio import turned
from bench.latency import Latencies, Listener, Schedule
from bench.machine import Meter, memory_by_role
from bench.ramp import Step, summary
from starling.client import connect
from starling.client.conversation import converse
from starling.client.options import Options
from starling.client.pacing import CHUNK
from starling.core.audio import Samples
from starling.core.errors import Overloaded, StarlingError
from starling.protocols.native.messages import ServerMessage

LEAD = 1.0
"""Seconds from the first dial to the first sample."""

STAGGER = 0.5
"""Seconds over which the beginnings of the sessions are spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How sessions behave and what they ask for.

    ``pool``: int16 ``[n]``, see ``audio.pool``. ``seconds``: how long each speaks. ``partial_interval``: None for the server's
    default. ``max_segment``: the server's setting, in seconds.
    """

    pool: Samples
    seconds: float
    partial_interval: float | None = None
    max_segment: float = 15.0


@dataclass(slots=True)
class Heard:
    """What all sessions together met."""

    latencies: Latencies = field(default_factory=Latencies)
    lateness: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0


async def run_step(url: str, load: Load, streams: int, *, server: int | None) -> Step:
    """Let ``streams`` sessions speak at ``url``. ``server``: the process to watch, or None."""
    heard = Heard()
    begins = time.monotonic() + LEAD
    async with asyncio.TaskGroup() as sessions:
        for number in range(streams):
            began = begins + STAGGER * number / streams
            sessions.create_task(speak(url, load, number, began, heard))
        await asyncio.sleep(LEAD)
        meter = Meter(server, time.monotonic())
        await asyncio.sleep(load.seconds)
        usage = meter.stop(time.monotonic())
        memory = memory_by_role(server) if server else {}
    return summary(
        heard.latencies,
        streams=streams,
        seconds=load.seconds,
        lateness=heard.lateness,
        refused=heard.refused,
        failed=heard.failed,
        memory=memory,
        usage=usage,
    )


async def speak(url: str, load: Load, number: int, began: float, heard: Heard) -> None:
    """Session number ``number``, whose first sample is recorded at ``began`` on the monotonic clock; it adds to ``heard``."""
    audio = turned(load.pool, number, seconds=load.seconds)
    schedule = Schedule(began, CHUNK, len(audio))

    async def spoken() -> AsyncIterator[Samples]:
        for start in range(0, len(audio), CHUNK):
            due = schedule.due(start + CHUNK)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            heard.lateness.append(time.monotonic() - due)
            yield audio[start : start + CHUNK]

    options = Options() if load.partial_interval is None else Options(partial_interval=load.partial_interval)
    try:
        async with connect(url, patience=0, **options) as session:
            listener = Listener(schedule, endpoint_silence=session.ready.endpoint_silence_ms / 1000, max_segment=load.max_segment)

            def hear(message: ServerMessage) -> None:
                listener.hear(message, time.monotonic())

            await converse(session, spoken(), hear)
            heard.latencies.add(listener.latencies)
    except Overloaded:
        heard.refused += 1
    except StarlingError as error:
        heard.failed += 1
        print(f"session {number} failed: {error}")
