"""Which partitions of the audio log a recognizer has: by leases that it renews, with epochs by which others know that it had."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Protocol

from starling.bus.partitions import partition_of, share
from starling.bus.redis.link import Link
from starling.bus.redis.scripts.leases import BEAT, LEASE, RELEASE
from starling.core.errors import ShuttingDown
from starling.redis.opening import ATTEMPT
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

BEATS: Final = 4
"""Signs of life within the time of a lease."""


class Fence(Protocol):
    """Says in which partition a session is, and with which epoch one may write for it."""

    def place(self, session_id: str) -> tuple[int, str]:
        """The partition, and the epoch: empty where nobody asks for one, ``LOST`` where this process has it no more."""

    def lost(self, partition: int) -> None:
        """A write was refused: somebody else has the partition."""


LOST: Final = "lost"
"""An epoch that is never the current one."""


class Tenure:
    """``held``: epochs by partition. ``changed`` is set when that changes; ``lost`` tells it what Redis refused.
    ``moved`` is told how many were ``taken``, ``released`` or ``lost``.

    ``run`` keeps the leases; when it is cancelled they are given back.
    """

    def __init__(self, link: Link, member: str, *, moved: Callable[[str, int], None] = lambda _how, _count: None) -> None:
        self.member = member
        self.alive: tuple[str, ...] = ()
        self.changed = asyncio.Event()
        self._link = link
        self._held: dict[int, int] = {}
        self._ttl = round(link.options.lease * 1000)
        self._draining = False
        self._settled = False
        self._moved = moved

    @property
    def held(self) -> Mapping[int, int]:
        return self._held

    @property
    def settled(self) -> bool:
        """Whether it had its share once."""
        return self._settled

    def place(self, session_id: str) -> tuple[int, str]:
        partition = partition_of(session_id, self._link.options.partitions)
        epoch = self._held.get(partition)
        return partition, LOST if epoch is None else str(epoch)

    def lost(self, partition: int) -> None:
        """A write was refused: somebody else has it."""
        if self._held.pop(partition, None) is not None:
            log.warning("partition lost", partition=partition)
            self._moved("lost", 1)
            self.changed.set()

    async def run(self) -> None:
        """Hold this recognizer's share, until cancelled."""
        try:
            while True:
                await self.beat()
                await self._rest(self._link.options.lease / BEATS * random.uniform(0.8, 1.0))  # noqa: S311 - not all at once
        finally:
            with suppress(ShuttingDown):  # Redis went away: the leases run out by themselves
                await asyncio.shield(asyncio.ensure_future(self._give_back()))

    async def beat(self) -> None:
        """Renew, give up what is too much, take what is missing."""
        known = {str(partition): epoch for partition, epoch in self._held.items()}
        leases = [item for lease in known.items() for item in lease]
        partitions = self._link.options.partitions
        members, lost, free = await self._link.run(
            BEAT, self.member, self._ttl, partitions, int(self._draining), *leases, urgent=True
        )
        for partition in lost:
            if self._held.get(partition) == known[str(partition)]:
                self.lost(partition)
        self.alive = tuple(sorted(name.decode() for name in members))
        surplus, wanted = self._choose(free)
        if surplus:
            await self._release(surplus)
        elif wanted:
            await self._lease(wanted)
        self._settled = self._settled or self._complete()

    async def _rest(self, seconds: float) -> None:
        """Between two beats."""
        await asyncio.sleep(seconds)

    @property
    def _share(self) -> int:
        return share(self._link.options.partitions, self.alive, self.member)

    def _choose(self, free: list[int]) -> tuple[list[int], list[int]]:
        """Which partitions to give up, and which of those that are free to take."""
        surplus = len(self._held) - self._share
        if surplus > 0:
            return sorted(self._held)[-surplus:], []
        return [], free[:-surplus] if surplus else []

    def _complete(self) -> bool:
        """Whether it has all that it should."""
        return len(self._held) == self._share > 0

    async def _lease(self, partitions: list[int]) -> None:
        epochs = await self._link.run(LEASE, self.member, self._ttl, *partitions, urgent=True)
        taken = {partition: epoch for partition, epoch in zip(partitions, epochs, strict=True) if epoch}
        if taken:
            self._held.update(taken)
            self._moved("taken", len(taken))
            log.info("partitions taken", partitions=sorted(taken), held=len(self._held), recognizers=len(self.alive))
            self.changed.set()

    async def _release(self, partitions: list[int]) -> None:
        leases = [item for partition in partitions for item in (partition, self._held.pop(partition))]
        self.changed.set()
        self._moved("released", len(partitions))
        log.info("partitions released", partitions=partitions, held=len(self._held), recognizers=len(self.alive))
        await self._link.run(RELEASE, self.member, *leases)

    async def _give_back(self) -> None:
        self._draining = True
        if self._link.up is False:
            self._held.clear()
            self.changed.set()
            return
        try:
            async with asyncio.timeout(ATTEMPT):  # Redis may have gone just now; others wait for the leases' end then
                await self._release(sorted(self._held))
                await self.beat()
        except TimeoutError:
            log.warning("partitions not given back", advice="they are free once the leases end")
