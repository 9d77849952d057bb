"""The work of ``starling serve``: the server in the form that the settings ask for, until somebody ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeAlias

from starling.cli.interrupts import hangups, interrupts
from starling.config.settings import Settings
from starling.config.sizing import workers

Listening: TypeAlias = Callable[[str, Mapping[str, int]], None]
"""Gets the console's URL, and the ports of the protocols that have their own."""


def serve_until_interrupted(settings: Settings, reread: Callable[[], Settings], listening: Listening) -> None:
    """Serve until Ctrl-C or SIGTERM. ``reread``: the settings as they are by then. ``listening`` is told when it serves."""
    if (count := workers(settings)) == 0:
        _in_one_process(settings, reread, listening)
    else:
        asyncio.run(_in_many(settings, count, reread, listening))  # uvloop knows no process groups


def _in_one_process(settings: Settings, reread: Callable[[], Settings], listening: Listening) -> None:
    from starling.app import Running, running
    from starling.app.collection import collect_rarely
    from starling.cli.eventloop import run

    servers: list[Running] = []

    def reload() -> None:
        for server in servers:  # one that still starts is new
            server.reload(reread)

    async def main() -> None:
        with interrupts() as stop, hangups(reload):
            async with running(settings) as server:
                servers.append(server)
                collect_rarely()
                listening(server.url, server.ports)
                await stop.wait()

    run(main())


async def _in_many(settings: Settings, count: int, reread: Callable[[], Settings], listening: Listening) -> None:
    from starling.app.host import Hosting, hosting

    servers: list[Hosting] = []

    async def serve(stop: asyncio.Event) -> None:
        async with hosting(settings, workers=count, reread=reread) as server:
            servers.append(server)
            listening(server.url, server.ports)
            await stop.wait()

    def reload() -> None:
        for server in servers:  # one that still starts is new
            server.reload()

    with interrupts() as stop, hangups(reload):
        serving, stopping = asyncio.create_task(serve(stop)), asyncio.create_task(stop.wait())
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not servers:  # it may start for minutes, or try to for ever; there is nothing to drain
            serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
