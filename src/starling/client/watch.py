"""Watches over one connection: breaks it off when the network has gone silent, so that the session can go on over another."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from starling.client import vigil
from starling.client.vigil import Vigil, byte_rate
from starling.core.audio import AudioFormat


class Watch:
    """From now until ``close`` over ``connection``, which ``audio`` goes to. Tell ``vigil`` what is sent and what comes in."""

    def __init__(self, connection: ClientConnection, audio: AudioFormat) -> None:
        self.vigil = Vigil(byte_rate(audio), asyncio.get_running_loop().time())
        self._connection = connection
        self._task = asyncio.create_task(self._run(), name="watch over the connection")

    async def close(self) -> None:
        """Watch no longer."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        clock, connection = asyncio.get_running_loop().time, self._connection
        question: asyncio.Task[None] | None = None
        try:
            while connection.state is State.OPEN:
                await asyncio.sleep(vigil.LOOK_EVERY)
                if question is not None and question.done():
                    question = None
                    self.vigil.answered()
                if not connection.transport.is_reading():  # its messages are not taken here: the answer may be among them
                    self.vigil.heard()
                if self.vigil.ask(clock()):
                    question = asyncio.create_task(self._ask())
                if self.vigil.is_over(clock()):
                    connection.transport.abort()
                    return
        finally:
            if question is not None:
                question.cancel()

    async def _ask(self) -> None:
        with suppress(ConnectionClosed):  # which whoever uses it notices
            await (await self._connection.ping())
