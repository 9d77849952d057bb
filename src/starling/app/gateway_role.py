"""``starling gateway``: a gateway among others, on Redis. It loads no model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from starling.app.attendant import ROW
from starling.app.kafka import gateway_side, kafka_cluster
from starling.app.options import addresses, gateway_options, log_options
from starling.app.recordings import recording_ports
from starling.app.redis import BUS, LOOK, redis_facts, redis_link, watch_link
from starling.app.tracing import tracing
from starling.app.unwrapping import unwrapped
from starling.bus.redis.inquest import Banned
from starling.bus.redis.leases import Leases
from starling.bus.redis.link import Link
from starling.bus.redis.sides import GatewaySide
from starling.config.settings import Settings
from starling.core.errors import ShuttingDown, StoreUnavailable
from starling.core.ports import Capabilities
from starling.core.sessions import Standing
from starling.gateway.gateway import Gateway
from starling.gateway.listening import listen_everywhere
from starling.gateway.ports import Ports
from starling.gateway.server import serving
from starling.supervisor.sheets import SharedWitness, Sheets
from starling.telemetry.clock import SystemClock
from starling.telemetry.health import Health, State
from starling.telemetry.logs import configure_logging, get_logger
from starling.telemetry.metrics import Metrics
from starling.telemetry.status import INSTANCE

log = get_logger(__name__)

SIGN_OF_LIFE: Final = 1.0
"""Seconds between two of this gateway."""

MARGIN: Final = 5.0
"""Seconds that a silent gateway gets beyond the time for which its clients may be away."""

ENGINE: Final = "engine"


@dataclass(frozen=True, slots=True)
class Gatekeeping:
    """A gateway that clients can reach. ``url``: where its console is; ``ports``: of dialects that have their own."""

    url: str
    ports: Mapping[str, int]
    health: Health


@asynccontextmanager
async def gatekeeping(settings: Settings, sheets: Sheets | None = None) -> AsyncIterator[Gatekeeping]:
    """A gateway for as long as the block runs; at its end sessions are drained. Raises StarlingError when it cannot start.

    ``sheets``: where its attendant looks for whose bytes it unpacks, if it has one.
    """
    with unwrapped():
        async with _composed(settings, sheets) as gateway:
            yield gateway
        log.info("stopped")


@asynccontextmanager
async def _composed(settings: Settings, sheets: Sheets | None) -> AsyncIterator[Gatekeeping]:
    metrics, clock, health = Metrics(), SystemClock(), Health(ENGINE, BUS)
    configure_logging(log_options(settings), metrics=metrics, process="gateway")
    options = gateway_options(settings)
    async with (
        tracing(settings, metrics, "gateway") as tracer,
        redis_link(settings) as link,
        kafka_cluster(settings) as cluster,
        gateway_side(settings, link, cluster, INSTANCE, clock.now) as side,
        recording_ports(settings) as recordings,
    ):
        leases, banned = Leases(link), Banned(link)

        def facts() -> Mapping[str, Any]:
            return {"bus": redis_facts(link, cluster), "recognizers": sorted(side.board.loads())}

        def standing(session_id: str) -> Standing | None:
            staged = side.audio_log.staged(session_id)
            return None if staged is None else Standing(worker=leases.holder(session_id), staged=staged)

        ports = Ports(
            audio_log=side.audio_log,
            results=side.results,
            board=side.board,
            directory=side.directory,
            clock=clock,
            metrics=metrics,
            facts=facts,
            standing=standing,
            shared=True,
            tally=side.tally,
            notary=side.notary,
            colleagues=side.colleagues,
            recordings=recordings,
            tracer=tracer,
            witness=None if sheets is None else SharedWitness(sheets, ROW, suspects=banned),
        )
        gateway = Gateway(options, ports, None, health)
        await gateway.agree()
        health.set(ENGINE, State.STARTING, "no recognizer is known yet")
        with closing(listen_everywhere(options)) as listeners:
            async with asyncio.TaskGroup() as tasks, serving(gateway, listeners) as (host, port):
                works = (
                    side.inbox.run(),
                    watch_link(link, health, metrics, cluster),
                    _open(gateway, link, side),
                    _live(gateway, side, leases, banned),
                )
                working = [tasks.create_task(work) for work in works]
                await side.inbox.listening.wait()
                url, _ = addresses(options, host, port)
                log.info("serving", address=url, bus=link.address, instance=INSTANCE, protocols=listeners.named)
                try:
                    yield Gatekeeping(url, listeners.ports, health)
                finally:
                    await gateway.drain(settings.server.drain_grace)
                    for work in working:
                        work.cancel()
                    await asyncio.wait(working)
                    await link.close()


async def _open(gateway: Gateway, link: Link, side: GatewaySide) -> None:
    """Let clients in once it is known what recognizers can do, and then as long as there is one."""
    known = None
    while known is None:
        known = await link.command("GET", f"{link.prefix}capabilities")
        await asyncio.sleep(LOOK)
    gateway.learn(msgspec.json.decode(known, type=Capabilities))
    while True:
        ready = bool(side.board.loads())
        gateway.health.set(ENGINE, *((State.OK, "") if ready else (State.STARTING, "no recognizer is ready")))
        await asyncio.sleep(LOOK)


async def _live(gateway: Gateway, side: GatewaySide, leases: Leases, banned: Banned) -> None:
    """Say that this gateway lives, and end the sessions of those that do not, once nobody can come back to them."""
    patience = gateway.options.resume_grace + MARGIN
    while True:
        with suppress(ShuttingDown, StoreUnavailable):
            for session_id in await side.directory.orphans(patience):
                await gateway.abandon(session_id, await side.directory.get(session_id))
            await gateway.reconcile()
            await leases.look()
            await banned.look()
            await gateway.agree()
        await asyncio.sleep(SIGN_OF_LIFE)
