from __future__ import annotations

import asyncio

import pytest

from virtual_time import BusyLoop, CostedOffload, Deadlock, LeakedTasks, VirtualClock, run


def test_waiting_takes_no_time_and_comes_out_in_order() -> None:
    woken: list[float] = []

    async def sleeper(delay: float) -> None:
        await asyncio.sleep(delay)
        woken.append(VirtualClock().now())

    async def main() -> float:
        async with asyncio.TaskGroup() as tasks:
            for delay in (7200.0, 1.0, 60.0):
                tasks.create_task(sleeper(delay))
        return VirtualClock().now()

    assert run(main()) == pytest.approx(7200)
    assert woken == pytest.approx([1, 60, 7200])


def test_a_deadlock_is_an_error() -> None:
    with pytest.raises(Deadlock):
        run(asyncio.Event().wait())


def test_a_busy_loop_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtual_time.STEPS_WITHOUT_TIME", 1000)

    async def spin() -> None:
        loop = asyncio.get_running_loop()

        def again() -> None:
            loop.call_soon(again)

        again()
        await asyncio.Event().wait()

    with pytest.raises(BusyLoop):
        run(spin())


def test_a_leaked_task_is_an_error() -> None:
    async def main() -> asyncio.Task[None]:
        return asyncio.create_task(asyncio.sleep(1), name="forgotten")

    with pytest.raises(LeakedTasks, match="forgotten"):
        run(main())


def test_offloaded_calls_cost_time_one_after_the_other() -> None:
    async def main() -> tuple[str, float]:
        offload = CostedOffload(lambda: 0.25)
        await offload(lambda: "first")
        return await offload(lambda: "second"), VirtualClock().now()

    assert run(main()) == ("second", 0.5)
