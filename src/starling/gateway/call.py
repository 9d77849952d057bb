"""A call of gRPC as a connection: its messages in, its messages and its status out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import unquote

import grpc

from starling.core.errors import FrameTooLarge, IdleTimeout, SlowConsumer, StarlingError
from starling.gateway.options import GatewayOptions
from starling.gateway.socket import Gone
from starling.protocols.calls import HALF_CLOSED, code_of
from starling.protocols.foreign import Head
from starling.protocols.trailers import trailers
from starling.protocols.verbs import Frame

STATUS: Final = {code.value[0]: code for code in grpc.StatusCode}

ENDED: Final = (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError)
"""What gRPC raises where a call or the server is over."""


Handle = Callable[[Any], Awaitable[None]]
"""Who answers a call, given its context."""


class Call:
    """``Wire`` on one call, whose messages are bytes.

    ``status`` is what to end it with. ``largest``: bytes of a message at most. Messages are asked for one at a time, so that the
    client may send no more than its window.
    """

    def __init__(self, context: Any, options: GatewayOptions, *, largest: int) -> None:
        self._context = context
        self._send_timeout = options.send_timeout
        self._largest = largest
        self._lost = asyncio.Event()
        self._half_closed = False
        self._next: asyncio.Task[Frame] | None = None  # a question to the network cannot be taken back
        self.status: tuple[int, str] = (0, "")

    def lost(self) -> None:
        """The client cancelled the call, its time is over, or its connection is gone."""
        self._lost.set()

    async def receive(self) -> Frame:
        await self._ask()
        asked, self._next = self._next, None
        assert asked is not None
        return asked.result()

    async def _ask(self) -> None:
        """Wait for the next message; whoever waits may be cancelled, and no message is lost."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._read())
        await asyncio.wait([self._next])

    async def _read(self) -> Frame:
        if not self._half_closed:
            try:
                message = await self._context.read()
            except ENDED:
                raise Gone from None
            if self._lost.is_set():
                raise Gone
            if message is not grpc.aio.EOF:
                return self._checked(message)
            self._half_closed = True  # or the client is gone: that is the same to gRPC, which says so later
            return HALF_CLOSED
        await self._lost.wait()
        raise Gone

    def _checked(self, message: bytes) -> bytes:
        if len(message) > self._largest:
            raise FrameTooLarge(f"a message may have {self._largest} bytes; send audio in smaller pieces")
        return message

    async def pause(self) -> None:
        await asyncio.sleep(0)
        if self._lost.is_set():
            raise Gone

    async def approach(self) -> None:
        await self._ask()
        assert self._next is not None
        if isinstance(error := self._next.exception(), Gone):
            raise error

    async def send(self, frame: Frame) -> None:
        if self._lost.is_set():
            raise Gone
        try:
            async with asyncio.timeout(self._send_timeout):
                await self._context.write(frame)
        except TimeoutError:
            raise SlowConsumer(f"nothing was read for {self._send_timeout:g} seconds; read results as they come") from None
        except ENDED:
            raise Gone from None

    async def close(self, code: int, reason: str = "") -> None:
        """End with that status, once the call is left."""
        self.status = code, reason
        asked, self._next = self._next, None
        if asked is not None:
            asked.cancel()
            await asyncio.wait([asked])
            _ = asked.cancelled() or asked.exception()

    async def farewell(self, within: float) -> bool:
        raise NotImplementedError  # nobody comes back to a session over gRPC


async def next_message(context: Any, limit: float) -> bytes | None:
    """The next message of a call that is no session; None where there are no more. Raises IdleTimeout after ``limit`` seconds."""
    try:
        async with asyncio.timeout(limit):
            message = await context.read()
    except TimeoutError:
        raise IdleTimeout(f"expected a message within {limit:g} seconds") from None
    if message is grpc.aio.EOF:
        return None
    assert isinstance(message, bytes)
    return message


def refuse(context: Any, error: StarlingError) -> None:
    """End a call with ``error``, once it is left."""
    context.set_trailing_metadata(trailers(error))
    end(context, code_of(type(error)), error.message)


def end(context: Any, code: int, message: str) -> None:
    """End a call with the status ``code``, once it is left."""
    context.set_code(STATUS[code])
    context.set_details(message)


def head_of(context: Any, path: str, trace_id: str) -> Head:
    """What a call begins with: of metadata that comes twice, the first."""
    return Head(path=path, headers=metadata_of(context), trace_id=trace_id)


def metadata_of(context: Any) -> dict[str, str]:
    """What is text of a call's metadata, by names in lower case."""
    found: dict[str, str] = {}
    for name, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            found.setdefault(name.lower(), value)
    return found


def address_of(peer: str) -> str:
    """The address in ``peer``, as gRPC writes it: ``ipv4:127.0.0.1:5000``, ``ipv6:%5B::1%5D:5000``. Empty for another kind."""
    kind, _, rest = unquote(peer).partition(":")
    return rest.rpartition(":")[0].strip("[]") if kind in {"ipv4", "ipv6"} else ""
