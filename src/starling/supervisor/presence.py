"""What every process of the platform does besides its work: it gives signs of life, and its metrics when they are asked for."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from starling.bus.shared.arena import Table
from starling.bus.shared.layout import ProcessColumn, ProcessState
from starling.core.errors import ServerError, StarlingError
from starling.core.ports import Capabilities
from starling.protocols.errors import kind_of
from starling.supervisor.sheets import Sheets
from starling.telemetry.metrics import Metrics, render

BEAT: Final = 0.1
"""Seconds between two signs of life."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The message on a process's sheet: what its engine can do, or why it could not start."""

    capabilities: Capabilities | None = None
    code: str = ""
    message: str = ""

    @property
    def failure(self) -> StarlingError | None:
        """The error it stands for, as it was raised in the process, or None."""
        if not self.message:
            return None
        kind = kind_of(self.code)
        try:
            return kind(self.message)
        except TypeError:  # a kind that needs more than a message
            return ServerError(self.message)


def read_said(message: bytes) -> Said:
    """What ``message`` says; nothing at all says nothing."""
    return msgspec.json.decode(message, type=Said) if message else Said()


class Answering:
    """Leaves this process's ``metrics`` on ``sheet`` when they are asked for."""

    def __init__(self, sheets: Sheets, sheet: int, metrics: Metrics) -> None:
        self._sheets = sheets
        self._sheet = sheet
        self._metrics = metrics
        self._answered = sheets.asked

    def look(self) -> None:
        """Answer, if there is a new question."""
        if (asked := self._sheets.asked) != self._answered:
            self._answered = asked
            self._sheets.answer(self._sheet, asked, render(self._metrics))


class Presence:
    """What others see of the process with ``row`` of ``table`` and sheet number ``sheet``."""

    def __init__(self, table: Table, row: int, sheets: Sheets, sheet: int, metrics: Metrics) -> None:
        self._table = table
        self._row = row
        self._sheets = sheets
        self._sheet = sheet
        self._answering = Answering(sheets, sheet, metrics)

    async def run(self) -> None:
        """Beat for ever, from the event loop: if it stands still, so does the heart."""
        while True:
            self._table.beat(self._row)
            self._answering.look()
            await asyncio.sleep(BEAT)

    def ready(self, capabilities: Capabilities | None = None) -> None:
        """From now on it works."""
        if capabilities is not None:
            self._sheets.say(self._sheet, msgspec.json.encode(Said(capabilities=capabilities)))
        self._table.beat(self._row)
        self._table.store(ProcessColumn.STATE, self._row, ProcessState.READY)

    def draining(self) -> None:
        """From now on it takes nothing new."""
        self._table.store(ProcessColumn.STATE, self._row, ProcessState.DRAINING)

    def failed(self, error: StarlingError) -> None:
        """It cannot start, and this is why."""
        self._sheets.say(self._sheet, msgspec.json.encode(Said(code=error.code, message=error.message)))


@contextmanager
def termination() -> Iterator[asyncio.Event]:
    """An event that SIGTERM sets, as often as it comes."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
