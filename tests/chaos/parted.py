"""A gateway, two recognizers, and Redis or Redis and Kafka, each on a host of its own, so that one of them can be cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from chaos.networks import Cut, Host, Network
from chaos.roles_harness import Apart, Role, apart
from kafka_broker import kafka_broker
from patience import PATIENCE
from redis_server import RedisServer

PARTITIONS = 16
"""Of the audio log."""


@dataclass(slots=True)
class Parted:
    """``cut_off``: the recognizer that ``cut`` concerns, on ``host``; ``heir``: the other one."""

    roles: Apart
    network: Network
    host: Host
    other: Host
    cut_off: Role
    heir: Role

    @contextmanager
    def cut(self, how: Cut) -> Iterator[None]:
        """For as long as the block runs."""
        self.network.cut_off(self.host, how)
        try:
            yield
        finally:
            self.network.join(self.host, how)

    async def speaking(self, sessions: int) -> None:
        """Until so many are heard, and something was said of them by who has most of them: that one is to be cut off."""
        async with asyncio.timeout(PATIENCE):
            while True:
                told, others = await self.cut_off.status(), await self.heir.status()
                if told["clients"] + others["clients"] == sessions and max(told, others, key=_clients)["results"]:
                    break
                await asyncio.sleep(0.05)
        if _clients(told) < _clients(others):
            self.host, self.other, self.cut_off, self.heir = self.other, self.host, self.heir, self.cut_off

    async def taken_over(self) -> None:
        """Until the heir has all partitions."""
        await self.heir.until_holding(PARTITIONS)


@asynccontextmanager
async def parted(
    network: Network, *, kafka: bool, broker: tuple[str, ...] = (), settings: Mapping[str, str] | None = None
) -> AsyncIterator[Parted]:
    """All of them ready. ``broker``: settings of Kafka, as ``name=value``."""
    with ExitStack() as servers:
        store = network.host()
        listening = ("--bind", store.address, "--port", "6379", "--protected-mode", "no")
        redis = await asyncio.to_thread(servers.enter_context, RedisServer(*listening, within=store.within))
        environment = {
            "STARLING_BUS__URL": f"redis://{store.address}:6379/0",
            "STARLING_AUTH__MODE": "open",  # to whoever is on this wire
            **(settings or {}),
        }
        if kafka:
            logs = network.host()
            it = kafka_broker(*broker, host=logs.address, within=logs.within)
            await asyncio.to_thread(servers.enter_context, it)
            environment |= {"STARLING_BUS__STORE": environment["STARLING_BUS__URL"], "STARLING_BUS__URL": it.url}
        door, one, other = network.host(), network.host(), network.host()
        async with apart(redis, gateways=0, recognizers=0, settings=environment) as roles:
            cut_off, heir, _ = await asyncio.gather(
                roles.recognizer(host=one.address, within=one.within),
                roles.recognizer(host=other.address, within=other.within),
                roles.gateway(host=door.address, within=door.within),
            )
            await roles.until_shared(PARTITIONS // 2, PARTITIONS // 2)
            await roles.settled()
            yield Parted(roles, network, one, other, cut_off, heir)


def _clients(status: dict[str, Any]) -> int:
    count: int = status["clients"]
    return count
