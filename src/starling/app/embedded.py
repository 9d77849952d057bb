"""The whole server in one process: a gateway on the event loop, a recognizer worker beside it, the bus in memory between them,
and one thread for each of the two models.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Final

from starling.app.bus import Bus
from starling.app.exposition import everybodys_metrics
from starling.app.keeping import kept, slots_beside_a_server, transcriber_keeper
from starling.app.options import addresses, as_json, gateway_options, log_options, max_lead, segmentation_options
from starling.app.recognition import recognition, watch_lag
from starling.app.recordings import recording_ports
from starling.app.reloading import read_anew
from starling.app.tracing import tracing
from starling.app.unwrapping import unwrapped
from starling.bus.memory import MemoryAudioLog, MemoryLoadBoard, MemoryResultBus, MemorySessionDirectory
from starling.config.reloading import RELOADED_IN_PLACE
from starling.config.settings import Settings
from starling.core.errors import StarlingError
from starling.core.sessions import Standing
from starling.gateway.gateway import Gateway
from starling.gateway.listening import listen_everywhere
from starling.gateway.ports import Ports
from starling.gateway.server import serving
from starling.supervisor.launch import Role
from starling.supervisor.sheets import Sheets
from starling.telemetry.clock import SystemClock
from starling.telemetry.health import Health, State
from starling.telemetry.logs import configure_logging, get_logger
from starling.telemetry.metrics import Metrics, render

log = get_logger(__name__)

FORCE_AFTER: Final = 2.0
"""Seconds that the recognizer gets to finish what sessions left behind, once the gateway is gone."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that takes sessions. ``url``: where its console is; ``stream_url``: where its WebSocket is.

    ``ports``: of dialects that have their own. ``reload``: takes what it can of settings that are read anew, see
    RELOADED_IN_PLACE; of the others the log says that they need a restart. Settings that are wrong change nothing.
    """

    url: str
    stream_url: str
    metrics: Metrics
    health: Health
    ports: Mapping[str, int] = field(default_factory=dict)
    reload: Callable[[Callable[[], Settings]], None] = field(default=lambda _: None)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """A server for as long as the block runs; at its end sessions are drained. Raises StarlingError when it cannot start."""
    with unwrapped():
        async with _composed(settings) as server:
            yield server
        log.info("stopped")


@asynccontextmanager
async def _sheets(settings: Settings) -> AsyncIterator[Sheets | None]:
    """One for the transcriber, where there is one."""
    if not slots_beside_a_server(settings):
        yield None
        return
    with closing(Sheets.create(1)) as sheets:
        yield sheets


@asynccontextmanager
async def _composed(settings: Settings) -> AsyncIterator[Running]:
    metrics, clock, health = Metrics(), SystemClock(), Health("engine")
    configure_logging(log_options(settings), metrics=metrics)
    options = gateway_options(settings)
    audio_log = MemoryAudioLog(max_lead=(lead := max_lead(settings)))
    bus = Bus(audio_log=audio_log, results=MemoryResultBus(), board=MemoryLoadBoard())
    worker_id = f"{platform.node()}-{os.getpid()}"

    def standing(session_id: str) -> Standing | None:
        staged = audio_log.staged(session_id)
        return None if staged is None else Standing(worker=worker_id, staged=staged)

    async def exposition() -> bytes:
        assert sheets is not None
        asked: dict[str, int] = {Role.TRANSCRIBER: sheets.rows - 1} if sheets.said(sheets.rows - 1) else {}
        return await everybodys_metrics(sheets, asked, {"server": render(metrics)}, clock)

    async with (
        _sheets(settings) as sheets,
        tracing(settings, metrics, "server") as tracer,
        recording_ports(settings) as recordings,
        recognition(settings, bus=bus, clock=clock, metrics=metrics, worker_id=worker_id, tracer=tracer) as recognizer,
    ):
        gateway = Gateway(
            options,
            Ports(
                audio_log=bus.audio_log,
                results=bus.results,
                board=bus.board,
                directory=MemorySessionDirectory(),
                clock=clock,
                metrics=metrics,
                recordings=recordings,
                standing=standing,
                exposition=None if sheets is None else exposition,
                tracer=tracer,
            ),
            recognizer.capabilities,
            health,
        )
        async with asyncio.TaskGroup() as tasks:
            recognizing = tasks.create_task(recognizer.worker.run(), name="recognizer")
            probe = tasks.create_task(watch_lag(metrics, clock), name="event loop probe")
            listeners = listen_everywhere(options)
            async with serving(gateway, listeners) as (host, port):
                await recognizer.decode(recognizer.warm_up)
                health.set("engine", State.OK)
                url, stream_url = addresses(options, host, port)
                log.info("serving", address=url, model=recognizer.capabilities.model, protocols=listeners.named)
                current = settings
                keeper = None if sheets is None else transcriber_keeper(lambda: as_json(current), clock, sheets)

                def reload(reread: Callable[[], Settings]) -> None:
                    nonlocal current
                    if (new := read_anew(current, reread, lead, RELOADED_IN_PLACE)) is None:
                        return
                    try:
                        recognizer.worker.segment(segmentation_options(new))
                    except StarlingError as error:
                        log.error("settings not reloaded", reason=error.message)  # noqa: TRY400 - it says all there is
                        return
                    current = new
                    configure_logging(log_options(current), metrics=metrics)
                    if keeper is not None:
                        keeper.renew()
                    log.info("settings reloaded")

                try:
                    async with nullcontext() if keeper is None else kept(keeper):
                        yield Running(url, stream_url, metrics, health, listeners.ports, reload)
                finally:
                    await gateway.drain(settings.server.drain_grace)
            await bus.audio_log.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(recognizing, FORCE_AFTER)
            probe.cancel()
