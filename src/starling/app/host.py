"""The server as processes of one host: a supervisor here, and under it a gateway and recognizers. No model is loaded here."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing, nullcontext
from dataclasses import dataclass, field
from typing import Final

from starling.app.keeping import Keeper, kept, slots_beside_a_server, transcriber_keeper
from starling.app.options import addresses, as_json, gateway_options, log_options, max_lead
from starling.app.reloading import read_anew
from starling.app.tracing import check_tracing
from starling.app.unwrapping import unwrapped
from starling.bus.shared.arena import Arena
from starling.bus.shared.bells import Watch
from starling.bus.shared.custody import Custody
from starling.bus.shared.layout import Geometry
from starling.config.settings import Settings
from starling.config.sizing import cores
from starling.gateway.listening import listen_everywhere
from starling.supervisor.fleet import Fleet
from starling.supervisor.launch import Role
from starling.supervisor.local import FIRST_WORKERS_SHEET, SUPERVISORS_SHEET, LocalCrew, Orders
from starling.supervisor.observation import Observer
from starling.supervisor.options import SupervisorOptions
from starling.supervisor.orphans import bury
from starling.supervisor.presence import BEAT, Answering
from starling.supervisor.restarts import Restarts
from starling.supervisor.sheets import Sheets
from starling.supervisor.supervisor import Ports, Supervisor
from starling.telemetry.clock import SystemClock
from starling.telemetry.logs import configure_logging, get_logger
from starling.telemetry.metrics import Metrics

log = get_logger(__name__)

MODULES: Final[dict[Role, str]] = {
    Role.GATEWAY: "starling.app.gateway_process",
    Role.WORKER: "starling.app.recognizer_process",
}
"""What ``python -m`` runs as the template of each role."""

SPARE_SLOTS: Final = 16
"""Places for sessions beyond twice ``server.max_sessions``: of those that are over and not yet cleared away."""


@dataclass(frozen=True, slots=True)
class Hosting:
    """A server that takes sessions. ``url``: where its console is; ``stream_url``: where its WebSocket is.

    ``ports``: of dialects that have their own.
    """

    url: str
    stream_url: str
    ports: Mapping[str, int]
    supervisor: Supervisor
    _settings: Settings
    _orders: Orders
    _lead: int
    _crew: LocalCrew
    _keeper: Keeper
    _reread: Callable[[], Settings] | None = field(default=None)

    def reload(self) -> None:
        """Replace the recognizers one by one, with those of the settings as they are now that concern nobody else.

        Of the others the log says that they need a restart. Settings that are wrong change nothing.
        """
        if self._reread is not None:
            if (settings := read_anew(self._settings, self._reread, self._lead)) is None:
                return
            self._orders.settings = as_json(settings)
        self._crew.renew()
        self._keeper.renew()
        self.supervisor.replace_workers()


@asynccontextmanager
async def hosting(
    settings: Settings,
    *,
    workers: int,
    reread: Callable[[], Settings] | None = None,
) -> AsyncIterator[Hosting]:
    """A server with ``workers`` recognizers for as long as the block runs; at its end sessions are drained.

    ``reread``: gives the settings anew on a reload. Raises StarlingError when it cannot start.
    """
    with unwrapped():
        async with _composed(settings, workers, reread) as server:
            yield server
        log.info("stopped")


@asynccontextmanager
async def _composed(settings: Settings, workers: int, reread: Callable[[], Settings] | None) -> AsyncIterator[Hosting]:
    metrics, clock = Metrics(), SystemClock()
    configure_logging(log_options(settings), metrics=metrics, process=Role.SUPERVISOR)
    options = supervisor_options(settings, workers)
    edge = gateway_options(settings)
    check_tracing(settings)
    rows = Fleet.rows(options)
    geometry = Geometry(slots=2 * edge.max_sessions + SPARE_SLOTS, workers=rows, max_lead=max_lead(settings))
    with closing(listen_everywhere(edge)) as listeners:
        arena, sheets = Arena.create(geometry), Sheets.create(FIRST_WORKERS_SHEET + rows + 1)  # the last is the transcriber's
        orders = Orders(
            settings=as_json(settings),
            modules=MODULES,
            cores=cores() if settings.processes.pin and workers <= len(cores()) else (),
            listener=listeners.main.fileno(),
            dialects={name: listener.fileno() for name, listener in listeners.dialects.items()},
        )
        draw = random.SystemRandom().random
        crew = LocalCrew(arena, sheets, orders, clock=clock, restarts=lambda: Restarts(options, draw))
        ports = Ports(crew=crew, sessions=Custody(arena), observer=Observer(crew, options), clock=clock, metrics=metrics)
        supervisor = Supervisor(options, Fleet(options, draw), ports)
        watch = Watch(arena.supervisor_bell)
        watch.add(supervisor.wake)
        try:
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(supervisor.run(), name="supervisor")
                answering = tasks.create_task(_answer(sheets, metrics), name="metrics")
                burying = tasks.create_task(bury(), name="orphans")
                await supervisor.ready()
                if not running.done():
                    url, stream_url = addresses(edge, edge.host, listeners.main.getsockname()[1])
                    log.info("serving", address=url, workers=workers, protocols=listeners.named)
                    keeper = transcriber_keeper(lambda: orders.settings, clock, sheets)
                    try:
                        async with kept(keeper) if slots_beside_a_server(settings) else nullcontext():
                            yield Hosting(
                                url,
                                stream_url,
                                listeners.ports,
                                supervisor,
                                settings,
                                orders,
                                geometry.max_lead,
                                crew,
                                keeper,
                                reread,
                            )
                    finally:
                        await supervisor.drain()
                answering.cancel()
                burying.cancel()
        finally:
            await crew.close()
            watch.close()
            sheets.close()


def supervisor_options(settings: Settings, workers: int) -> SupervisorOptions:
    """The supervisor's share of the settings."""
    chosen = settings.processes
    return SupervisorOptions(
        workers=workers,
        start_timeout=chosen.start_timeout,
        hang_timeout=chosen.hang_timeout,
        stuck_timeout=chosen.stuck_timeout,
        memory_limit=chosen.memory_limit_mb << 20,
        drain_grace=settings.server.drain_grace,
    )


async def _answer(sheets: Sheets, metrics: Metrics) -> None:
    """Show the supervisor's metrics when they are asked for."""
    answering = Answering(sheets, SUPERVISORS_SHEET, metrics)
    while True:
        answering.look()
        await asyncio.sleep(BEAT)
