"""The transcriber beside a server: ``python -m starling.app.transcriber_process``, for the server to run and to replace."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

import msgspec

from starling.app.collection import collect_rarely
from starling.app.keeping import slots_beside_a_server
from starling.app.options import log_options
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
    async with transcribing(settings, slots_beside_a_server(settings), clock=SystemClock(), metrics=metrics) as at_work:
        collect_rarely()
        sheets = Sheets.attach(launch.sheets)
        answering = Answering(sheets, launch.row, metrics)
        sheets.say(launch.row, msgspec.json.encode(Said()))
        while not at_work.running.done():  # from the event loop: if it stands still, so does the heart
            sheets.beat(launch.row)
            answering.look()
            await asyncio.sleep(BEAT)
        at_work.running.result()


if __name__ == "__main__":
    main()
