"""Speak and listen at once: send audio in the background while messages are handled as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable
from contextlib import suppress
from typing import Unpack

from starling.client.connection import connect
from starling.client.errors import SessionLost
from starling.client.handover import in_background
from starling.client.options import Options
from starling.client.pacing import paced, rechunk
from starling.client.session import Session
from starling.core.audio import Samples
from starling.core.errors import StarlingError
from starling.protocols.native.messages import Result, ServerMessage

STOP_GRACE = 10.0
"""Seconds the last finals may take once ``stop`` is set."""


async def converse(
    session: Session,
    audio: AsyncIterable[Samples | bytes],
    handle: Callable[[ServerMessage], None],
    *,
    stop: asyncio.Event | None = None,
    grace: float = STOP_GRACE,
) -> None:
    """Send all of ``audio``, then ``end``; give every message to ``handle`` until ``Done``.

    Once ``stop`` is set no more audio is sent, the session is ended properly, and its last messages have ``grace`` seconds. If
    ``audio`` itself raises, what was sent before is still recognised and handled, and then its error is raised. Raises what
    iterating a session does.
    """
    stop = stop or asyncio.Event()
    sending = asyncio.create_task(_send(session, audio))
    try:
        async with asyncio.timeout(None) as limit:
            stopping = asyncio.create_task(_end_early(session, sending, stop, limit, grace))
            try:
                async for message in session:
                    handle(message)
            finally:
                await _cancelled(stopping)
        unsent = not sending.done() and not stop.is_set()
    except TimeoutError:
        raise SessionLost(f"the last results did not come within {grace:g} s of the end of the audio", closed_with=1006) from None
    finally:
        failure = await _cancelled(sending)
    if failure:
        raise failure
    if unsent:
        raise SessionLost("the server was done before all audio was sent: it is shutting down", closed_with=1000)


def transcribe_stream(
    url: str, chunks: Iterable[Samples], *, speed: float = 0.0, api_key: str | None = None, **options: Unpack[Options]
) -> list[Result]:
    """Send ``chunks`` (int16, 16 kHz mono) to the server at ``url`` and return the finals: the whole client in one blocking call.

    ``api_key``: for a server that asks for one.
    ``speed``: times real time; 0 sends as fast as the server takes it. Raises what ``connect`` and ``converse`` do.
    """
    finals: list[Result] = []

    def keep(message: ServerMessage) -> None:
        if isinstance(message, Result) and message.is_final:
            finals.append(message)

    async def run() -> None:
        async with connect(url, api_key=api_key, **options) as session:
            await converse(session, paced(in_background(rechunk(chunks)), speed=speed), keep)

    asyncio.run(run())
    return finals


async def _send(session: Session, audio: AsyncIterable[Samples | bytes]) -> None:
    try:
        async for chunk in audio:
            await session.send(chunk)
    except Exception:
        with suppress(StarlingError):  # the connection may be what failed; its reader says so
            await session.end()
        raise
    await session.end()


async def _end_early(
    session: Session, sending: asyncio.Task[None], stop: asyncio.Event, limit: asyncio.Timeout, grace: float
) -> None:
    await stop.wait()
    limit.reschedule(asyncio.get_running_loop().time() + grace)
    await _cancelled(sending)
    with suppress(StarlingError):
        await session.end()


async def _cancelled(task: asyncio.Task[None]) -> BaseException | None:
    """Cancel ``task``, wait for it, and return what it failed with, if anything."""
    task.cancel()
    await asyncio.wait([task])
    return None if task.cancelled() else task.exception()
