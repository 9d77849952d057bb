"""What Redis tells a gateway of its own accord: that is a hint, and Redis itself what counts.

Messages are lost while the connection is; whoever listens looks at everything again then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from redis.asyncio.client import PubSub

from starling.bus.redis.link import Link
from starling.redis.failures import passing

LOADS: Final = "loads"
"""The channel on which recognizers say how much they have to do."""

PAUSE: Final = 0.1
"""Seconds until the next attempt to listen."""

SILENCE: Final = 5.0
"""Seconds without a message after which the connection is asked whether it is alive."""


class Inbox:
    """Give handlers to ``on`` and ``look_again``, then ``run`` it. ``listening``: nothing is missed now."""

    def __init__(self, link: Link, gateway: str) -> None:
        self.gateway = gateway
        self.listening = asyncio.Event()
        self._link = link
        self._handlers: dict[int, Callable[[bytes], None]] = {}
        self._looks: list[Callable[[], Awaitable[None]]] = []

    def on(self, kind: bytes, handler: Callable[[bytes], None]) -> None:
        """Call ``handler`` with the rest of each message that begins with ``kind``, one byte."""
        self._handlers[kind[0]] = handler

    def look_again(self, look: Callable[[], Awaitable[None]]) -> None:
        """Await ``look`` whenever messages may have been lost."""
        self._looks.append(look)

    async def run(self) -> None:
        """Listen, for ever."""
        while True:
            with passing():
                async with self._link.channels(f"in:{self.gateway}", LOADS) as channels:
                    await self._listen(channels)
            self.listening.clear()
            await asyncio.sleep(PAUSE)

    async def _listen(self, channels: PubSub) -> None:
        asked = False
        while True:
            message = await channels.get_message(timeout=SILENCE)
            if message is None:
                if asked:
                    raise TimeoutError
                await channels.ping()
            asked = message is None
            if message is None:
                continue
            if message["type"] == "message":
                self._hear(message["data"])
            elif message["type"] == "subscribe" and message["channel"].endswith(
                LOADS.encode()
            ):  # the last one, again after a loss
                for look in self._looks:
                    await look()
                self.listening.set()

    def _hear(self, message: bytes) -> None:
        handler = self._handlers.get(message[0]) if message else None
        if handler is not None:
            handler(message[1:])
