"""Bodies of requests on their way to ``Recordings``: never held in memory, never waited for without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import ClientDisconnect, Request

from starling.core.errors import FrameTooLarge, IdleTimeout, InvalidMessage
from starling.core.job_store import Recordings
from starling.core.ports import Clock
from starling.gateway.recordings.filenames import UNNAMED, shown
from starling.gateway.recordings.multipart import Event, Multipart, PartBegan, PartData, PartEnded
from starling.gateway.recordings.options import RecordingOptions
from starling.gateway.recordings.pace import Pace

MAX_FIELDS: Final = 1 << 18
"""Bytes of all fields of a form together; of a JSON body, too."""

MAX_FIELD: Final = 1 << 16
FORM_OVERHEAD: Final = 1 << 20
"""Bytes of a form besides its file."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A recording that has come. ``name``: for people."""

    key: str
    size: int
    digest: str
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Form:
    """What came. ``fields``: in order, repeated names stay repeated."""

    fields: tuple[tuple[str, str], ...] = field(repr=False)
    file: Stored | None


class Reception:
    """Takes bodies. Every method raises IdleTimeout for a client that is too slow, and FrameTooLarge for too much."""

    def __init__(self, options: RecordingOptions, recordings: Recordings, clock: Clock) -> None:
        self._options = options
        self._recordings = recordings
        self._clock = clock
        self._pace = Pace(options.idle_timeout, options.min_bytes_per_second)

    async def form(self, request: Request, file_field: str) -> Form:
        """A form whose file is called ``file_field``.

        Raises InvalidMessage for what is no form, has two such files or a file elsewhere. Nothing is kept then.
        """
        form = Multipart(request.headers.get("content-type", ""))
        fields: list[tuple[str, str]] = []
        stored: Stored | None = None
        size = 0
        try:
            async with aclosing(self._events(request, form)) as events:
                async for event in events:
                    if not isinstance(event, PartBegan):
                        continue
                    if event.name == file_field:
                        _check_first(stored, file_field)
                        stored = await self._store(_until_the_end(events), event.filename or UNNAMED)
                        continue
                    value = await _value(event, events, file_field)
                    size = _check_size(size + len(event.name) + len(value))
                    fields.append((event.name, value.decode("utf-8", "replace")))
            form.close()
        except BaseException:
            if stored is not None:
                await self.discard(stored)
            raise
        return Form(tuple(fields), stored)

    async def body(self, request: Request, name: str = UNNAMED) -> Stored:
        """A recording that is the whole body."""
        async with aclosing(self._chunks(request, self._options.max_bytes)) as chunks:
            return await self._store(chunks, name)

    async def document(self, request: Request) -> bytes:
        """A small body, such as JSON."""
        async with aclosing(self._chunks(request, MAX_FIELDS)) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def fetched(self, chunks: AsyncIterator[bytes], name: str) -> Stored:
        """A recording that comes from elsewhere."""
        return await self._store(chunks, name)

    async def discard(self, stored: Stored) -> None:
        """Nobody wants it."""
        await self._recordings.delete(stored.key)

    async def _store(self, chunks: AsyncIterator[bytes], name: str) -> Stored:
        key, size, digest = await self._recordings.put(chunks, limit=self._options.max_bytes)
        return Stored(key, size, digest, shown(name))

    async def _events(self, request: Request, form: Multipart) -> AsyncGenerator[Event]:
        async with aclosing(self._chunks(request, self._options.max_bytes, FORM_OVERHEAD)) as chunks:
            async for chunk in chunks:
                for event in form.feed(chunk):
                    yield event

    async def _chunks(self, request: Request, limit: int, overhead: int = 0) -> AsyncGenerator[bytes]:
        """The body. ``limit``: bytes that it may have, ``overhead`` besides not being worth a word to who sends more."""
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:18]) > limit + overhead:
            raise _too_large(limit)
        began = last = self._clock.now()
        received = 0
        stream = aiter(request.stream())
        while True:
            wait = self._pace.deadline(began, last, received) - self._clock.now()
            try:
                async with asyncio.timeout(max(0.0, wait)):
                    chunk = await anext(stream, None)
            except TimeoutError:
                raise IdleTimeout("the body came too slowly: send it again over a better connection") from None
            except ClientDisconnect:
                raise InvalidMessage("the client left in the middle of the body") from None
            if chunk is None:
                return
            received, last = received + len(chunk), self._clock.now()
            if received > limit + overhead:
                raise _too_large(limit)
            if chunk:
                yield chunk


async def _until_the_end(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    """What is in the part that began last."""
    async for event in events:
        match event:
            case PartData(data):
                yield data
            case PartEnded():
                return
            case PartBegan():
                raise AssertionError("parts follow each other")


def _check_first(stored: Stored | None, file_field: str) -> None:
    if stored is not None:
        raise InvalidMessage(f"expected one file in {file_field}, got another: send one recording a request")


def _check_size(size: int) -> int:
    if size > MAX_FIELDS:
        raise FrameTooLarge(f"the fields of a form may have at most {MAX_FIELDS} bytes together")
    return size


async def _value(field: PartBegan, events: AsyncIterator[Event], file_field: str) -> bytes:
    if field.filename is not None:
        raise InvalidMessage(f"expected the recording in the field {file_field}, got a file in another")
    value = bytearray()
    async for data in _until_the_end(events):
        value += data
        if len(value) > MAX_FIELD:
            raise FrameTooLarge(f"a field of a form may have at most {MAX_FIELD} bytes")
    return bytes(value)


def _too_large(limit: int) -> FrameTooLarge:
    return FrameTooLarge(f"the body must have at most {limit} bytes: send a shorter recording, or one that is compressed")
