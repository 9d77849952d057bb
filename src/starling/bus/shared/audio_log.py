"""AudioLog over shared memory: one end for the gateway, one for each worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import NoReturn

from starling.bus.shared.bells import Watch
from starling.bus.shared.layout import PIECE
from starling.bus.shared.log_reader import LogReader
from starling.bus.shared.log_writer import LogWriter
from starling.bus.shared.slots import Slots
from starling.core.errors import IllegalTransition, ShuttingDown
from starling.core.records import Audio, Checkpoint, Opened, Record, SessionRecord, Tail


class GatewayAudioLog:
    """The AudioLog of the gateway: it appends. Closing it concerns this process alone."""

    def __init__(self, writer: LogWriter, slots: Slots, watch: Watch) -> None:
        self._writer = writer
        self._slots = slots
        self._watch = watch
        self._waiting: dict[asyncio.Event, str] = {}
        self._looking = False
        self._closed = False

    async def append(self, record: Record) -> None:
        self._refuse_when_closed()
        if not self._looking:
            self._looking = True
            self._watch.add(self._look)
        if isinstance(record, Opened):
            self._writer.open(record)
        elif isinstance(record, Audio) and len(record.samples) > PIECE:
            for piece in _pieces(record, self._writer.tail(record.session_id).received):
                await self._offer(piece)
        else:
            await self._offer(record)

    async def _offer(self, record: SessionRecord) -> None:
        while not self._writer.offer(record):
            await self._room(record.session_id)
            self._refuse_when_closed()

    def follow(self) -> AsyncIterator[Sequence[Record]]:
        """A worker's."""
        _not_here("follows the log")

    async def commit(self, session_id: str, checkpoint: Checkpoint) -> None:  # noqa: ARG002 - the port's
        _not_here("commits")

    async def forget(self, session_id: str) -> None:
        self._writer.forget(session_id)
        self._look()

    async def tail(self, session_id: str) -> Tail:
        return self._writer.tail(session_id)

    def staged(self, session_id: str) -> tuple[int | None, int] | None:
        """The row of the worker that has the session, if one has, and the samples staged of it; None if it is not on the log."""
        return self._writer.staged(session_id)

    def lag(self) -> int:
        return self._writer.lag()

    async def close(self) -> None:
        self._closed = True
        self._watch.discard(self._look)
        for event in self._waiting:
            event.set()

    async def _room(self, session_id: str) -> None:
        event = asyncio.Event()
        self._waiting[event] = session_id
        try:
            await event.wait()
        finally:
            del self._waiting[event]

    def _look(self) -> None:
        """Take note of what workers did."""
        self._slots.collect()
        for event, session_id in self._waiting.items():
            if self._writer.has_room(session_id):
                event.set()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise ShuttingDown("the audio log is closed; connect again")


class WorkerAudioLog:
    """The AudioLog of a worker: it follows the sessions that the supervisor gave it. Closing it concerns this process alone."""

    def __init__(self, reader: LogReader, watch: Watch) -> None:
        self._reader = reader
        self._watch = watch
        self._wake = asyncio.Event()
        self._follower = 0
        self._closed = False

    async def append(self, record: Record) -> None:  # noqa: ARG002 - the port's
        _not_here("appends", "the gateway")

    async def follow(self) -> AsyncIterator[Sequence[Record]]:
        self._follower += 1
        follower = self._follower
        self._wake.set()  # the one before
        self._wake = wake = asyncio.Event()
        self._reader.rewind()
        self._watch.add(wake.set)
        try:
            while follower == self._follower:
                wake.clear()
                if batch := self._reader.take():
                    yield batch
                elif self._closed:
                    return
                else:
                    await wake.wait()
        finally:
            self._watch.discard(wake.set)

    async def commit(self, session_id: str, checkpoint: Checkpoint) -> None:
        self._reader.commit(session_id, checkpoint)

    async def forget(self, session_id: str) -> None:
        self._reader.forget(session_id)

    async def tail(self, session_id: str) -> Tail:  # noqa: ARG002 - the port's
        _not_here("asks for the tail", "the gateway")

    def lag(self) -> int:
        return self._reader.lag()

    async def close(self) -> None:
        self._closed = True
        self._wake.set()


def _pieces(record: Audio, before: int) -> Iterator[Audio]:
    """Long audio in several records. All but the last one stand for the ``before`` bytes of the client that came before it."""
    for start in range(0, len(record.samples), PIECE):
        samples = record.samples[start : start + PIECE]
        received = record.received if start + PIECE >= len(record.samples) else before
        yield replace(record, start=record.start + start, samples=samples, received=received)


def _not_here(what: str, who: str = "a worker") -> NoReturn:
    raise IllegalTransition(f"only {who} {what}")
