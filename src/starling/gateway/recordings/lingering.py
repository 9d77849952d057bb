"""Refusing a body in a way that its sender hears of it: what is on its way is taken first, within bounds (RFC 9112 section 9.6).

A connection that is closed while data still comes is reset, and the answer is lost with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.requests import Request
from starlette.types import Message

from starling.core.errors import StarlingError

MOST: Final = 8 << 20
"""Bytes that are taken and thrown away; who sends more may see a reset."""

LONGEST: Final = 3.0
"""Seconds for that."""


@asynccontextmanager
async def lingering(request: Request) -> AsyncIterator[Request]:
    """``request``, whose body is taken if the block raises a StarlingError."""
    body = _Body(request)
    try:
        yield Request(request.scope, body.receive)
    except StarlingError:
        await body.drain()
        raise


class _Body:
    def __init__(self, request: Request) -> None:
        self._request = request
        self._begun = False
        self._over = False

    async def receive(self) -> Message:
        self._begun = True
        message = await self._request.receive()
        self._over = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """A client that waits for leave to send (``Expect: 100-continue``) sends nothing, and gets none."""
        if not self._begun and self._request.headers.get("expect", "").lower() == "100-continue":
            return
        taken = 0
        try:
            async with asyncio.timeout(LONGEST):
                while not self._over and taken < MOST:
                    taken += len((await self.receive()).get("body", b""))
        except TimeoutError:
            return
