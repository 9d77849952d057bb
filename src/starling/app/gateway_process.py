"""The gateway as a process of its own: ``python -m starling.app.gateway_process``, for a supervisor to run, is the template that
it is copied from. Neither loads a model.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, closing
from typing import Final

import msgspec

from starling.app.child import Place, run_template
from starling.app.collection import collect_rarely
from starling.app.exposition import everybodys_metrics
from starling.app.options import gateway_options
from starling.app.recordings import recording_ports
from starling.app.tracing import tracing
from starling.bus.memory import MemoryAudioLog, MemoryLoadBoard, MemoryResultBus, MemorySessionDirectory
from starling.bus.shared.arena import Arena
from starling.bus.shared.layout import ProcessState
from starling.bus.shared.sides import GatewaySide
from starling.config.settings import Settings
from starling.core.ports import Capabilities
from starling.core.sessions import Standing
from starling.gateway.gateway import Gateway
from starling.gateway.listening import Listeners
from starling.gateway.options import GatewayOptions
from starling.gateway.ports import Ports
from starling.gateway.server import rehearse, serving
from starling.supervisor.launch import Role
from starling.supervisor.local import SUPERVISORS_SHEET, sheet_of, worker_name
from starling.supervisor.presence import BEAT, read_said, termination
from starling.supervisor.sheets import SharedWitness
from starling.telemetry.clock import SystemClock
from starling.telemetry.health import Health, State
from starling.telemetry.metrics import Metrics, render

LOOK: Final = 0.01
"""Seconds between two looks what recognizers can do."""

STARTING: Final = "no recognizer is ready"


async def serve(place: Place, _loaded: None) -> None:
    """Serve clients on the inherited sockets until SIGTERM, then let them finish. Raises StarlingError if it cannot."""
    options, health = gateway_options(place.settings), Health("engine")
    dialects = {name: socket.socket(fileno=number) for name, number in place.launch.dialects.items()}
    listeners = Listeners(socket.socket(fileno=place.launch.listener), dialects)
    async with AsyncExitStack() as opened:
        stop = opened.enter_context(termination())
        opened.enter_context(closing(listeners))
        alive = asyncio.create_task(place.presence.run(), name="presence")
        tracer = await opened.enter_async_context(tracing(place.settings, place.metrics, Role.GATEWAY))
        recordings = await opened.enter_async_context(recording_ports(place.settings))
        side = GatewaySide.of(place.arena)

        async def exposition() -> bytes:
            asked = {"supervisor": SUPERVISORS_SHEET} | {
                worker_name(row): sheet_of(Role.WORKER, row) for row in working(place.arena)
            }
            if place.sheets.said(last := place.sheets.rows - 1):
                asked[Role.TRANSCRIBER] = last
            return await everybodys_metrics(place.sheets, asked, {place.launch.name: render(place.metrics)}, place.clock)

        def standing(session_id: str) -> Standing | None:
            if (found := side.audio_log.staged(session_id)) is None:
                return None
            owner, staged = found
            return Standing(worker=None if owner is None else worker_name(owner), staged=staged)

        ports = Ports(
            audio_log=side.audio_log,
            results=side.results,
            board=side.loads,
            directory=side.directory,
            clock=place.clock,
            metrics=place.metrics,
            recordings=recordings,
            exposition=exposition,
            witness=SharedWitness(place.sheets, place.launch.row),
            standing=standing,
            root=place.launch.parent,
            tracer=tracer,
        )
        gateway = Gateway(options, ports, None, health)
        async with serving(gateway, listeners):
            collect_rarely()
            opening = asyncio.create_task(_open(place, gateway), name="workers")
            stopping = asyncio.create_task(stop.wait(), name="stop")
            done, _ = await asyncio.wait([opening, stopping], return_when=asyncio.FIRST_COMPLETED)
            place.presence.draining()
            for task in (opening, stopping):
                task.cancel()
            await asyncio.wait([opening, stopping])
            if opening in done:
                opening.result()
            await gateway.drain(place.settings.server.drain_grace)
        alive.cancel()
        await asyncio.wait([alive])


def load_edge(_: Settings) -> None:
    """Make what a gateway makes, so that it is imported. Each copy makes its own, with the keys and certificates of then."""
    ports = Ports(
        audio_log=MemoryAudioLog(max_lead=1),
        results=MemoryResultBus(),
        board=MemoryLoadBoard(),
        directory=MemorySessionDirectory(),
        clock=SystemClock(),
        metrics=Metrics(),
    )
    rehearse(Gateway(GatewayOptions(), ports, None, Health("engine")))


async def _open(place: Place, gateway: Gateway) -> None:
    """Let clients in once it is known what recognizers can do, and then as long as there is one."""
    gateway.health.set("engine", State.STARTING, STARTING)
    await gateway.begin(await _capabilities(place))
    place.presence.ready()
    await _watch_workers(place.arena, gateway.health)


async def _capabilities(place: Place) -> Capabilities:
    """What the recognizers can do: as the supervisor knows it, or as the first of them says."""
    known = msgspec.json.decode(place.launch.capabilities, type=Capabilities | None)
    while known is None:
        await asyncio.sleep(LOOK)
        ready = working(place.arena)
        known = read_said(place.sheets.said(sheet_of(Role.WORKER, ready[0]))).capabilities if ready else None
    return known


def working(arena: Arena) -> list[int]:
    """Rows of the workers that recognize now."""
    return [row for row in range(arena.geometry.workers) if arena.workers.state(row) is ProcessState.READY]


async def _watch_workers(arena: Arena, health: Health) -> None:
    """The gateway is ready as long as somebody recognizes."""
    while True:
        if working(arena):
            health.set("engine", State.OK)
        else:
            health.set("engine", State.STARTING, STARTING)
        await asyncio.sleep(BEAT)


if __name__ == "__main__":
    run_template(load_edge, serve)
