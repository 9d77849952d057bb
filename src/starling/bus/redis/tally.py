"""Tally on Redis: who is admitted is counted there, in one step; audio is told once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starling.bus.redis.link import Link
from starling.bus.redis.scripts.tallies import ENTER, EXCHANGE


class RedisTally:
    """The tally as ``gateway`` sees it."""

    def __init__(self, link: Link, gateway: str) -> None:
        self._link = link
        self._gateway = gateway
        self._turn = asyncio.Lock()  # counts arrive in the order in which they were made

    async def enter(self, tenant: str, mine: int, most: int) -> bool:
        async with self._turn:
            return bool(await self._link.run(ENTER, self._gateway, tenant, mine, most))

    async def exchange(self, day: int, mine: Mapping[str, tuple[int, float]]) -> Mapping[str, float]:
        if not mine:
            return {}
        told = [field for tenant, used in mine.items() for field in (tenant, *used)]
        others = await self._link.run(EXCHANGE, self._gateway, day, *told)
        return {tenant: float(audio) for tenant, audio in zip(mine, others, strict=True)}
