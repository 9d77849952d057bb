"""The gateway's end of the audio log on Kafka."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starling.bus.entries import pack_entry
from starling.bus.kafka.cluster import KafkaOptions
from starling.bus.kafka.stamps import mark, stamped
from starling.bus.kafka.tail import Found, last_of, values_between
from starling.bus.kafka.writer import Writer
from starling.bus.redis.audio_log import GatewayAudioLog, Writing, gone
from starling.bus.redis.inbox import Inbox
from starling.bus.redis.link import Link
from starling.core.errors import ServerError, StarlingError
from starling.core.records import Opened
from starling.telemetry.logs import get_logger

log = get_logger(__name__)


class KafkaGatewayAudioLog(GatewayAudioLog):
    """As on Redis, where sessions are opened and taken, and from where commits are heard; the records go to Kafka.

    While Kafka is away, appends wait: what was taken of a session's client and is not written yet is one record.
    """

    def __init__(
        self, link: Link, inbox: Inbox, options: KafkaOptions, writer: Writer, *, max_lead: int, offset: float = 0.0
    ) -> None:
        super().__init__(link, inbox, max_lead=max_lead, offset=offset)
        self._options = options
        self._writer = writer
        self._newest: dict[str, asyncio.Future[int]] = {}

    async def _open(self, opened: Opened) -> None:
        writing = await self._begun(opened, b"")
        session_id, partition = opened.session_id, writing.partition
        entry = pack_entry(opened, opened.checkpoint.position)
        offset = await self._writer.send(partition, session_id, stamped(writing.epoch, 0, entry))
        await self._link.command("ZADD", f"{self._link.prefix}live:{partition}", "XX", offset, session_id)
        self._sessions[session_id] = writing

    def _send(self, writing: Writing, entry: bytes) -> None:
        number = writing.number
        sent = self._writer.send(writing.partition, writing.session_id, stamped(writing.epoch, number, entry))
        self._newest[writing.session_id] = sent
        sent.add_done_callback(lambda done: self._written(writing, number, done))

    def _written(self, writing: Writing, number: int, done: asyncio.Future[int]) -> None:
        if self._newest.get(writing.session_id) is done:
            del self._newest[writing.session_id]
        error = None if done.cancelled() else done.exception()
        if error is None:
            writing.written = max(writing.written, number)
        elif isinstance(error, ServerError):
            log.error("record refused", session_id=writing.session_id, reason=error.message)
            self._drop(writing)

    async def _flushed(self, writing: Writing) -> None:
        newest = self._newest.get(writing.session_id)
        if newest is not None:
            with suppress(StarlingError):  # its end is not that of whoever waits here
                await asyncio.shield(newest)
            self._refuse_when_closed()

    async def _take(self, session_id: str) -> Writing:
        taken, first, since = await self._taken(session_id)
        found = await self._last(session_id, taken.partition, taken.epoch, first, int(since))
        writing = None
        if found is not None:  # known before it is asked whose it is, so that what is told from then on of its moving is heard
            tail, number = found.tail, found.number
            place = (tail.position, taken.committed, number, number, tail.sequence, tail.received, tail.ended, taken.epoch)
            writing = self._sessions[session_id] = Writing(session_id, taken.partition, *place)
        writer = await self._link.command("HGET", f"{self._link.prefix}s:{session_id}", "w")
        ours = writer == self._gateway.encode()
        if writing is not None and ours:
            return writing
        if writing is not None:
            self._drop(writing)
        if writer is None or ours:
            raise gone(session_id)
        raise ServerError("another gateway took the session meanwhile; come again")

    async def _last(self, session_id: str, partition: int, epoch: int, first: int, since: int) -> Found | None:
        until = await self._writer.send(partition, session_id, mark(epoch))

        def look() -> Found | None:
            return last_of(session_id, values_between(self._options, partition, session_id, since, until), first, epoch)

        return await asyncio.to_thread(look)
