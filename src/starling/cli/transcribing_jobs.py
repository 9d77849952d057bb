"""The work of ``starling transcriber``, until somebody ends it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing, nullcontext

from starling.app.options import log_options
from starling.app.status_page import url_of
from starling.app.transcriber_role import keep_transcribing, slots_alone
from starling.cli.interrupts import cannot_reload, hangups, interrupts
from starling.cli.report import complain
from starling.config.settings import Settings
from starling.gateway.listening import listen
from starling.telemetry.logs import configure_logging


def transcribe_until_interrupted(settings: Settings, status: tuple[str, int] | None) -> int:
    """Until Ctrl-C or SIGTERM; the exit status. ``status``: address and port of the status page, if there is to be one."""
    configure_logging(log_options(settings), process="transcriber attendant")
    with nullcontext() if status is None else closing(listen(*status)) as listener:
        return asyncio.run(_until_interrupted(settings, listener))


async def _until_interrupted(settings: Settings, listener: socket.socket | None) -> int:
    def announce() -> None:
        if listener is not None:
            complain(f"status at {url_of(listener)}status")
        slots = slots_alone(settings)
        complain(f"transcribing {slots} recording{'s' if slots > 1 else ''} at once; Ctrl-C ends it")

    with interrupts() as stop, hangups(cannot_reload):
        return await keep_transcribing(settings, listener, announce, stop)
