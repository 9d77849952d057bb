from __future__ import annotations

import asyncio

import pytest

from starling.gateway.alarm import Alarm
from virtual_time import run, settle


def test_it_rings_at_its_time_however_the_waits_before_it_were_set() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        alarm = Alarm(loop)
        for wait in (60.0, 5.0, 0.5, 20.0, 60.0):
            with alarm.at(loop.time() + 0.7 * wait + 1):
                await asyncio.sleep(0.7 * wait)
            begun = loop.time()
            with pytest.raises(TimeoutError), alarm.at(begun + wait):
                await loop.create_future()
            assert loop.time() - begun == pytest.approx(wait)
        alarm.close()

    run(scenario())


def test_a_thousand_waits_set_few_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        alarm = Alarm(loop)
        timers = 0
        call_at = loop.call_at

        def counted(*arguments: object, **options: object) -> asyncio.TimerHandle:
            nonlocal timers
            timers += 1
            return call_at(*arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(loop, "call_at", counted)
        for _ in range(1000):
            with alarm.at(loop.time() + 60):
                await settle()
        assert timers == 1
        alarm.close()

    run(scenario())


def test_it_can_be_rung_and_only_a_wait_hears_it() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        alarm = Alarm(loop)
        alarm.ring()
        loop.call_later(1.0, alarm.ring)
        with pytest.raises(TimeoutError), alarm.at(loop.time() + 60):
            await loop.create_future()
        assert loop.time() == pytest.approx(1.0)
        alarm.close()

    run(scenario())


def test_a_task_that_is_cancelled_is_cancelled_even_as_it_rings() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        alarm = Alarm(loop)

        async def wait() -> None:
            with alarm.at(loop.time() + 60):
                await loop.create_future()

        task = asyncio.create_task(wait())
        await settle()
        alarm.ring()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        alarm.close()

    run(scenario())


def test_what_goes_wrong_in_a_wait_comes_through() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        alarm = Alarm(loop)
        with pytest.raises(KeyError), alarm.at(loop.time() + 60):
            raise KeyError
        with alarm.at(loop.time() + 60):
            await settle()
        alarm.close()

    run(scenario())
