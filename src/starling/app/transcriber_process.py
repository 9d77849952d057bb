"""A transcriber: ``python -m starling.app.transcriber_process``, for ``starling transcriber`` or a server to keep."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import AsyncExitStack, suppress

import msgspec

from starling.app.collection import collect_rarely
from starling.app.keeping import slots_beside_a_server
from starling.app.options import log_options
from starling.app.status_page import StatusPage
from starling.app.transcribing import transcribing
from starling.config.settings import Settings
from starling.core.errors import StarlingError
from starling.supervisor.launch import Launch, receive_launch
from starling.supervisor.presence import BEAT, Answering, Said, termination
from starling.supervisor.sheets import Sheets
from starling.telemetry.clock import SystemClock
from starling.telemetry.logs import configure_logging, get_logger
from starling.telemetry.metrics import Metrics

log = get_logger(__name__)

NAME = "transcriber"


def main() -> None:
    """Transcribe until SIGTERM. The exit status is 1 where that cannot be."""
    launch = receive_launch()
    settings = Settings.model_validate_json(bytes(launch.settings))
    metrics = Metrics()
    configure_logging(log_options(settings), metrics=metrics, process=NAME)
    try:
        asyncio.run(_transcribe(launch, settings, metrics))  # uvloop knows no process groups
    except StarlingError as error:
        Sheets.attach(launch.sheets).say(launch.row, msgspec.json.encode(Said(code=error.code, message=error.message)))
        log.error("process cannot work", code=error.code, message=error.message)  # noqa: TRY400 - it says all there is
        sys.exit(1)
    except Exception:
        log.exception("process crashed")
        sys.exit(1)


async def _transcribe(launch: Launch, settings: Settings, metrics: Metrics) -> None:
    with termination() as stop:
        stopping = asyncio.create_task(stop.wait(), name="stop")
        working = asyncio.create_task(_work(launch, settings, metrics), name="work")
        await asyncio.wait([stopping, working], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not working.done():
            working.cancel()
        with suppress(asyncio.CancelledError):
            await working


async def _work(launch: Launch, settings: Settings, metrics: Metrics) -> None:
    sheets, slots = Sheets.attach(launch.sheets), slots_beside_a_server(settings)
    living = asyncio.create_task(_live(sheets, launch.row, metrics), name="presence")
    try:
        async with AsyncExitStack() as stack:
            at_work = await stack.enter_async_context(
                transcribing(settings, slots, clock=SystemClock(), metrics=metrics, eager=launch.eager)
            )
            collect_rarely()
            if launch.listener >= 0:
                page = StatusPage(at_work.health, metrics, at_work.lookout.status)
                await stack.enter_async_context(page.answering(socket.socket(fileno=launch.listener)))
            sheets.say(launch.row, msgspec.json.encode(Said()))
            await at_work.running
    finally:
        living.cancel()


async def _live(sheets: Sheets, row: int, metrics: Metrics) -> None:
    """Give signs of life from the event loop, while models are loaded too: if it stands still, so does the heart."""
    answering = Answering(sheets, row, metrics)
    while True:
        sheets.beat(row)
        answering.look()
        await asyncio.sleep(BEAT)


if __name__ == "__main__":
    main()
