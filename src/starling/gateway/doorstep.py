"""Where a client that is back waits for its session to attend to it."""

from __future__ import annotations

import asyncio

from starling.core.errors import Superseded
from starling.gateway.connection import Connection
from starling.protocols.verbs import Resume


class Doorstep:
    """That of one session. There is room for one connection: one that comes before it was attended to gives way to the next."""

    def __init__(self) -> None:
        self._incoming: tuple[Connection, Resume] | None = None
        self._rung = asyncio.Event()

    async def come(self, connection: Connection, resume: Resume) -> None:
        """A client is back, over ``connection``."""
        before, self._incoming = self._incoming, (connection, resume)
        self.ring()
        if before is not None:
            await supersede(before[0])

    def ring(self) -> None:
        """Have the session look, whoever is there."""
        self._rung.set()

    async def knocked(self) -> None:
        """Wait until the session should look."""
        await self._rung.wait()

    async def waited(self, deadline: float) -> bool:
        """Whether the session should look, by ``deadline`` on the loop's time: at once if that is over."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True

    def take(self) -> tuple[Connection, Resume] | None:
        """Who is there, if anybody is."""
        incoming, self._incoming = self._incoming, None
        return incoming


async def supersede(connection: Connection) -> None:
    """Close ``connection``, for the client has a newer one."""
    await connection.refuse(Superseded("the session goes on over a newer connection of its client"))
    await connection.close()
