"""Which recognizer has which sessions, as a gateway saw it last. For people: nothing is decided by it."""

from __future__ import annotations

from starling.bus.partitions import partition_of
from starling.bus.redis.link import Link


class Leases:
    """``look`` now and then; until then nobody has anything."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._holders: tuple[str | None, ...] = ()

    async def look(self) -> None:
        """See who has each partition now."""
        prefix, partitions = self._link.prefix, self._link.options.partitions
        holders = await self._link.command("MGET", *(f"{prefix}lease:{partition}" for partition in range(partitions)))
        self._holders = tuple(None if holder is None else holder.decode() for holder in holders)

    def holder(self, session_id: str) -> str | None:
        """The recognizer that has a session; None while none has."""
        return self._holders[partition_of(session_id, len(self._holders))] if self._holders else None
