"""What holds of a recognizer that was taken for dead and was not, whatever carries its audio."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping

from chaos.platform_harness import all_captions
from chaos.roles_harness import apart
from chaos.test_processes_fail import BECKETT, scripted
from redis_server import RedisServer


class ZombieContract:
    """A class of tests inherits this and has a fixture ``bus``: settings of what carries the audio."""

    def test_a_recognizer_that_was_taken_for_dead_says_nothing_more(self, redis: RedisServer, bus: Mapping[str, str]) -> None:
        async def scenario() -> None:
            async with apart(redis, gateways=1, recognizers=2, settings=bus) as server:
                await server.until_shared(8, 8)
                talking = asyncio.create_task(all_captions(server.url, [BECKETT] * 3, speed=1))
                await server.until_heard(3, 2.5)
                zombie, heir = server.recognizers
                zombie.strike(signal.SIGSTOP)
                await heir.until_holding(16)
                zombie.strike(signal.SIGCONT)
                assert await talking == [scripted(BECKETT)] * 3
                await zombie.until_said("partition lost")
                await server.until_shared(8, 8)

        asyncio.run(scenario())
