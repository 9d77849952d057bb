"""Reaching the server again after a connection was lost, as often as it takes and as long as the server keeps the session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from starling.client.errors import ProtocolMismatch, Refused, SessionLost, Unreachable
from starling.client.frames import NO_STATUS, failure, read
from starling.client.retrying import waits
from starling.core.errors import Overloaded, StarlingError
from starling.protocols.native.messages import Error, Resume, Resumed, encode

ATTEMPT: Final = 10.0
"""Seconds that one attempt to come back may take to be let in, and as many to be answered."""

SERVER_AT_FAULT: Final = 500

Dial: TypeAlias = Callable[[], Awaitable[ClientConnection]]
"""Makes a connection. Raises Unreachable, Refused and Overloaded."""

GoOn: TypeAlias = Callable[[ClientConnection, Resumed], Awaitable[None]]
"""Takes a connection on which the server goes on, and what it said to that."""


async def reconnect(dial: Dial, asked: Callable[[], Resume], go_on: GoOn, *, grace: float, lost: StarlingError) -> None:
    """Try for ``grace`` seconds to go on over another connection.

    ``asked``: what to ask of the server, made anew for each attempt. ``lost``: why the connection before is over. Raises
    SessionLost when the time is up, Refused or what the server said when it will not have the session.
    """
    try:
        async with asyncio.timeout(grace):
            for wait in waits():
                await asyncio.sleep(wait)
                if await _attempt(dial, asked, go_on):
                    return
    except TimeoutError:
        raise SessionLost(
            f"{lost.message}; no connection could be made again within {grace:g} s", closed_with=NO_STATUS
        ) from None


async def _attempt(dial: Dial, asked: Callable[[], Resume], go_on: GoOn) -> bool:
    """Whether the session goes on over a new connection. Raises SessionAborted when the server will not have it."""
    try:
        async with asyncio.timeout(ATTEMPT):
            connection = await dial()
    except (Unreachable, Overloaded, TimeoutError):
        return False
    except Refused as refused:
        if 0 < refused.status < SERVER_AT_FAULT:  # 0: it broke off before it had answered
            raise
        return False
    try:
        async with asyncio.timeout(ATTEMPT):
            resumed = await _ask(connection, asked())
        await go_on(connection, resumed)
    except ConnectionClosed:
        return False
    except TimeoutError:  # that of the whole comes as a cancellation
        connection.transport.abort()
        return False
    except BaseException:
        await connection.close()
        raise
    return True


async def _ask(connection: ClientConnection, resume: Resume) -> Resumed:
    await connection.send(encode(resume))
    match read(await connection.recv()):
        case Resumed() as resumed:
            return resumed
        case Error() as error:
            raise failure(error)
        case other:
            raise ProtocolMismatch(f"expected resumed as the server's first message, got {type(other).__name__.lower()}")
