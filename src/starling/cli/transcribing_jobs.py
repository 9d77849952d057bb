"""The work of ``starling transcriber``, until somebody ends it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

from starling.app.options import log_options
from starling.app.status_page import StatusPage
from starling.app.transcribing import slots_alone, transcribing
from starling.cli.interrupts import cannot_reload, hangups, interrupts
from starling.cli.report import complain
from starling.config.settings import Settings
from starling.telemetry.clock import SystemClock
from starling.telemetry.logs import configure_logging
from starling.telemetry.metrics import Metrics


def transcribe_until_interrupted(settings: Settings, status: tuple[str, int] | None) -> None:
    """Until Ctrl-C or SIGTERM. ``status``: address and port of the status page, if there is to be one."""
    metrics = Metrics()
    configure_logging(log_options(settings), metrics=metrics, process="transcriber")
    asyncio.run(_until_interrupted(settings, status, metrics))  # uvloop knows no process groups


async def _until_interrupted(settings: Settings, status: tuple[str, int] | None, metrics: Metrics) -> None:
    slots = slots_alone(settings)

    async def work() -> None:
        async with AsyncExitStack() as stack:
            at_work = await stack.enter_async_context(
                transcribing(settings, slots, clock=SystemClock(), metrics=metrics, eager=True)
            )
            if status is not None:
                page = StatusPage(at_work.health, metrics, at_work.lookout.status)
                url = await stack.enter_async_context(page.listening(*status))
                complain(f"status at {url}status")
            complain(f"transcribing {slots} recording{'s' if slots > 1 else ''} at once; Ctrl-C ends it")
            await at_work.running

    with interrupts() as stop, hangups(cannot_reload):
        working, stopping = asyncio.create_task(work()), asyncio.create_task(stop.wait())
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not working.done():
            working.cancel()
        with suppress(asyncio.CancelledError):
            await working
