"""What happens to a platform of several hosts: recognizers are killed, stopped, added and ended, gateways are killed, Redis is
restarted, Kafka is away.

Somebody starts again what died, as systemd or a container's runtime would.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final

import numpy as np

from bench.hosts import Hosts, Role

STOPPED: Final = 5.0
"""Seconds for which a recognizer is stopped."""

AWAY: Final = 10.0
"""Seconds for which Kafka is away."""

ANEW: Final = 1.0
"""Seconds after which what died is started again."""

PATIENCE: Final = 120.0
"""Seconds after which what cannot be started never will be."""

RECOGNIZERS: Final = 2, 4
"""How many are left at least when one is ended, and how many there are at most when one is added."""


class Mishap(StrEnum):
    """What happens, and to whom."""

    KILL = "kill recognizer"
    STOP = "stop recognizer"
    ADD = "add recognizer"
    END = "end recognizer"
    GATEWAY = "kill gateway"
    REDIS = "restart redis"
    KAFKA = "stop kafka"

    @property
    def blow(self) -> str:
        """The verb."""
        return self.partition(" ")[0]

    @property
    def victim(self) -> str:
        """Whom it concerns."""
        return self.partition(" ")[2]


def deck(mishaps: Sequence[Mishap], count: int, draw: np.random.Generator) -> list[Mishap]:
    """``count`` of ``mishaps``: all of them in an order that is drawn, then all again in another one."""
    found: list[Mishap] = []
    while len(found) < count:
        found += [mishaps[index] for index in draw.permutation(len(mishaps))]
    return found[:count]


class Fate:
    """Lets things happen to ``hosts``."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts

    async def strike(self, mishap: Mishap, choice: int) -> None:
        """Returns when it is over, and what died was started again. ``choice``: any whole number, which says to whom."""
        if mishap is Mishap.REDIS:
            await self._restart_redis()
        elif mishap is Mishap.KAFKA:
            await self._stop_kafka()
        elif mishap is Mishap.GATEWAY:
            await self._kill_gateway(choice)
        else:
            await self._recognizer(mishap, choice)

    async def _recognizer(self, mishap: Mishap, choice: int) -> None:
        roles = self._hosts.roles
        alive = _alive(roles.recognizers)
        victim = alive[choice % len(alive)]
        fewest, most = RECOGNIZERS
        if mishap is Mishap.KILL:
            await victim.end(signal.SIGKILL)
            await asyncio.sleep(ANEW)
            await _begun(roles.recognizer)
        elif mishap is Mishap.STOP:
            victim.strike(signal.SIGSTOP)
            await asyncio.sleep(STOPPED)
            victim.strike(signal.SIGCONT)
        elif mishap is Mishap.ADD and len(alive) < most:
            await _begun(roles.recognizer)
        elif mishap is Mishap.END and len(alive) > fewest:
            await victim.end()

    async def _kill_gateway(self, choice: int) -> None:
        roles = self._hosts.roles
        alive = _alive(roles.gateways)
        await alive[choice % len(alive)].end(signal.SIGKILL)
        await asyncio.sleep(ANEW)
        await _begun(roles.gateway)

    async def _restart_redis(self) -> None:
        await asyncio.to_thread(self._hosts.redis.stop, signal.SIGKILL)
        await asyncio.to_thread(self._hosts.redis.start)

    async def _stop_kafka(self) -> None:
        if self._hosts.broker is not None:
            await asyncio.to_thread(self._hosts.broker.stop, signal.SIGKILL)
            await asyncio.sleep(AWAY)
            await asyncio.to_thread(self._hosts.broker.start)


async def _begun(begin: Callable[[], Awaitable[Role]]) -> None:
    """Start a process, again and again if it ends at once, because what it needs is away."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(AssertionError):
                await begin()
                return
            await asyncio.sleep(ANEW)


def _alive(roles: Sequence[Role]) -> list[Role]:
    return [role for role in roles if role.process.returncode is None]


async def befall(
    hosts: Hosts,
    mishaps: Sequence[Mishap],
    *,
    seed: int,
    every: float,
    until: float,
    begin: float,
    told: Callable[[float, Mishap], None],
) -> None:
    """One of ``mishaps`` every so many seconds, from ``begin`` to ``until`` on the monotonic clock, drawn by ``seed``. ``told``
    hears of each when it happens.
    """
    draw, fate = np.random.default_rng(seed), Fate(hosts)
    async with asyncio.TaskGroup() as blows:
        for number, mishap in enumerate(deck(mishaps, int((until - begin) / every) - 1, draw), 1):
            choice = int(draw.integers(1 << 30))
            await asyncio.sleep(begin + number * every - time.monotonic())
            told(time.monotonic(), mishap)
            blows.create_task(fate.strike(mishap, choice))
