"""Bells on a real event loop: ringing is heard at once, and a bell that nobody rang costs a moment."""

from __future__ import annotations

import asyncio

from bus.shared.rig import arena
from patience import PATIENCE
from starling.bus.shared.arena import Arena
from starling.bus.shared.bells import POLL, Watch


def test_a_bell_that_another_rings_is_heard() -> None:
    async def scenario() -> None:
        shared = arena()
        other = Arena.attach(shared.fd)
        heard = asyncio.Event()
        watch = Watch(shared.gateway_bell)
        watch.add(heard.set)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        heard.clear()
        for _ in range(3):
            other.gateway_bell.ring()
        async with asyncio.timeout(PATIENCE):
            await heard.wait()
        watch.close()

    asyncio.run(scenario())


def test_what_changed_is_seen_without_a_bell() -> None:
    async def scenario() -> None:
        shared = arena()
        watch = Watch(shared.gateway_bell)
        looks = 0
        third = asyncio.Event()

        def look() -> None:
            nonlocal looks
            looks += 1
            if looks == 3:
                third.set()

        began = asyncio.get_running_loop().time()
        watch.add(look)
        async with asyncio.timeout(PATIENCE):
            await third.wait()
        assert asyncio.get_running_loop().time() - began >= 2 * POLL - 0.01
        watch.discard(look)

    asyncio.run(scenario())


def test_who_listens_no_more_is_not_called() -> None:
    async def scenario() -> None:
        shared = arena()
        watch = Watch(shared.gateway_bell)
        calls: list[str] = []

        def first() -> None:
            calls.append("first")

        def second() -> None:
            calls.append("second")

        watch.add(first)
        watch.add(second)
        watch.discard(first)
        await asyncio.sleep(0)
        watch.discard(second)
        shared.gateway_bell.ring()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert calls == ["second"]
        assert shared.gateway_bell.watch is None

    asyncio.run(scenario())
