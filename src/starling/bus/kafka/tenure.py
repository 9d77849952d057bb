"""A recognizer's tenure where Kafka says who gets what: it leases in Redis what its group assigned to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from starling.bus.kafka.group import Group
from starling.bus.redis.link import Link
from starling.bus.redis.tenure import Tenure

SOON: Final = 0.1
"""Seconds between two attempts to lease what its last owner still has."""


class GroupTenure(Tenure):
    """Kafka divides the partitions; the leases' epochs fence, for Kafka lets anybody write results of what it took away."""

    def __init__(self, link: Link, member: str, group: Group, moved: Callable[[str, int], None]) -> None:
        super().__init__(link, member, moved=moved)
        self._group = group

    async def _rest(self, seconds: float) -> None:
        waiting = bool(self._group.assigned - set(self.held))
        try:
            async with asyncio.timeout(min(seconds, SOON) if waiting else seconds):
                await self._group.changed.wait()
        except TimeoutError:
            return
        self._group.changed.clear()

    def _choose(self, free: list[int]) -> tuple[list[int], list[int]]:
        assigned = self._group.assigned
        return sorted(set(self.held) - assigned), sorted(assigned.intersection(free))

    def _complete(self) -> bool:
        return bool(self.held) and set(self.held) == self._group.assigned
