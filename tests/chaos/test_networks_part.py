"""Hosts in network namespaces, one of which is cut off for ten seconds while people speak.

Another recognizer takes over, and what the one that was cut off says when it is back is refused.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from chaos.networks import Cut, Network, network
from chaos.parted import Parted, parted
from chaos.platform_harness import Final, all_captions
from chaos.test_processes_fail import BECKETT, scripted

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")

SOUNDS = [np.tile(BECKETT, 3)[n * 8000 :] for n in range(4)]


SOON = ("group.min.session.timeout.ms=1500",)
"""As soon as a lease runs out; brokers allow no less than six seconds of their own accord."""


@pytest.fixture
def wire() -> Iterator[Network]:
    with network() as it:
        yield it


@pytest.fixture(scope="module")
def expected() -> list[list[Final]]:
    return [scripted(sound) for sound in SOUNDS]


@pytest.mark.parametrize("how", list(Cut))
@pytest.mark.parametrize("kafka", [False, True], ids=["redis", "kafka"])
def test_a_recognizer_that_is_cut_off_is_fenced(wire: Network, expected: list[list[Final]], how: Cut, *, kafka: bool) -> None:
    async def scenario() -> None:
        async with parted(wire, kafka=kafka, broker=SOON if how is Cut.SILENT else ()) as server:
            talking = asyncio.create_task(all_captions(server.roles.url, SOUNDS, speed=1))
            await server.speaking(len(SOUNDS))
            await part(server, how)
            assert await talking == expected
            await server.cut_off.until_said("partition lost", 8)
            await server.roles.until_shared(8, 8)

    asyncio.run(scenario())


async def part(server: Parted, how: Cut) -> None:
    """For ten seconds, and until the other one has all."""
    loop = asyncio.get_running_loop()
    with server.cut(how):
        until = loop.time() + 10.0
        await server.taken_over()
        await asyncio.sleep(until - loop.time())
