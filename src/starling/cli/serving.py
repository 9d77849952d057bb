"""The work of ``starling serve``: the server in the form that the settings ask for, until somebody ends it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from starling.cli.interrupts import interrupts
from starling.config.settings import Settings
from starling.config.sizing import workers


def serve_until_interrupted(settings: Settings, reread: Callable[[], Settings], listening: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM. ``reread``: the settings as they are by then. ``listening`` gets the console's URL."""
    if (count := workers(settings)) == 0:
        _in_one_process(settings, listening)
    else:
        asyncio.run(_in_many(settings, count, reread, listening))  # uvloop knows no process groups


def _in_one_process(settings: Settings, listening: Callable[[str], None]) -> None:
    from starling.app import running
    from starling.cli.eventloop import run

    async def main() -> None:
        with interrupts() as stop:
            async with running(settings) as server:
                listening(server.url)
                await stop.wait()

    run(main())


async def _in_many(settings: Settings, count: int, reread: Callable[[], Settings], listening: Callable[[str], None]) -> None:
    from starling.app.host import hosting

    loop = asyncio.get_running_loop()
    with interrupts() as stop:
        async with hosting(settings, workers=count, reread=reread) as server:
            loop.add_signal_handler(signal.SIGHUP, server.reload)
            listening(server.url)
            await stop.wait()
