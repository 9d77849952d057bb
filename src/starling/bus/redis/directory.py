"""SessionDirectory on Redis: any gateway finds any session, and one at a time goes on with it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from starling.bus.redis.link import Link
from starling.bus.redis.scripts.directory import CLAIM, ORPHANS, PUT, REMOVE
from starling.core.sessions import SessionEntry


class RedisSessionDirectory:
    """The directory as ``gateway`` sees it."""

    def __init__(self, link: Link, gateway: str) -> None:
        self._link = link
        self._gateway = gateway

    async def put(self, entry: SessionEntry) -> None:
        await self._link.run(PUT, self._gateway, entry.session_id, msgspec.msgpack.encode(entry), entry.token_digest.hex())

    async def get(self, session_id: str) -> SessionEntry | None:
        data = await self._link.command("HGET", self._key(session_id), "e")
        return None if data is None else msgspec.msgpack.decode(data, type=SessionEntry)

    async def find(self, token_digest: bytes) -> SessionEntry | None:
        if not token_digest:
            return None
        session_id = await self._link.command("GET", f"{self._link.prefix}token:{token_digest.hex()}")
        return None if session_id is None else await self.get(session_id.decode())

    async def claim(self, session_id: str) -> None:
        await self._link.run(CLAIM, self._gateway, session_id)

    async def holds(self, session_id: str) -> bool:
        holder = await self._link.command("HGET", self._key(session_id), "g")
        return bool(holder == self._gateway.encode())

    async def remove(self, session_id: str) -> None:
        await self._link.run(REMOVE, self._gateway, session_id)

    async def entries(self) -> Sequence[SessionEntry]:
        names = await self._link.command("SMEMBERS", f"{self._link.prefix}dir")
        found = [await self.get(name.decode()) for name in names]
        return [entry for entry in found if entry is not None]

    async def orphans(self, patience: float) -> Sequence[str]:
        """Say that this gateway lives, and take over the sessions of those that have not said so for ``patience`` seconds."""
        taken = await self._link.run(ORPHANS, self._gateway, round(patience * 1000))
        return [name.decode() for name in taken]

    def _key(self, session_id: str) -> str:
        return f"{self._link.prefix}dir:{session_id}"
