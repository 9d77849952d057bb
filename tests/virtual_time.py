"""Asyncio on virtual time: the loop jumps to its next timer, so an hour of waiting takes no time and is the same every run.

    def test_something() -> None:
        run(scenario())

Nothing else may wake the loop: no threads, no sockets.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

STEPS_WITHOUT_TIME = 200_000
"""More turns of the loop than this, with time standing still, are a busy loop."""


class Deadlock(RuntimeError):
    """Every task waits for another one, and no timer is set."""


class BusyLoop(RuntimeError):
    """Tasks wake each other for ever without any time passing."""


class LeakedTasks(AssertionError):
    """The main coroutine ended before the tasks it had started."""


class _NoWaiting(selectors.BaseSelector):
    """Where a selector would wait, it moves the loop's time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._steps = 0
        self._files = selectors.SelectSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock("no task can run and no timer is set")
        if timeout > 0:
            self.now += timeout
            self._steps = 0
        self._steps += 1
        if self._steps > STEPS_WITHOUT_TIME:
            self._steps = 0  # the loop still has to cancel its tasks
            raise BusyLoop(f"{STEPS_WITHOUT_TIME} turns of the loop at {self.now:g} s")
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._files.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._files.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._files.get_map()

    def close(self) -> None:
        self._files.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """Begins at 0 seconds."""

    def __init__(self) -> None:
        self._virtual = _NoWaiting()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


class VirtualClock:
    """``core.ports.Clock`` on the running loop's time."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()


async def inline(call: Callable[[], T], /) -> T:
    """An ``Offload`` that calls at once and takes no time."""
    return call()


class CostedOffload:
    """An ``Offload`` whose calls take ``cost()`` seconds each. ``calls``: how many were made; two at once are an error."""

    def __init__(self, cost: Callable[[], float]) -> None:
        self.calls = 0
        self._cost = cost
        self._busy = False

    async def __call__(self, call: Callable[[], T], /) -> T:
        assert not self._busy, "one call at a time"
        self._busy = True
        self.calls += 1
        try:
            answer = call()
            await asyncio.sleep(self._cost())
        finally:
            self._busy = False
        return answer


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` on virtual time. Raises Deadlock, BusyLoop, or LeakedTasks if it left tasks behind."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_without_leaks(main))


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The answer of a coroutine that waits for nothing, without a loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        answer: T = done.value
        return answer
    coroutine.close()
    raise AssertionError("expected a coroutine that does not wait")


settling: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("settling", default=None)
"""How tasks settle on a loop of real time, where others than they are at work."""


async def settle() -> None:
    """Let every task run until it waits, without time passing."""
    if (wait := settling.get()) is not None:
        await wait()
        return
    for _ in range(50):
        await asyncio.sleep(0)


async def stopped(task: asyncio.Task[Any]) -> None:
    """Cancel ``task`` and wait until it is gone."""
    task.cancel()
    await asyncio.wait([task])


async def _without_leaks(main: Awaitable[T]) -> T:
    answer = await main
    await asyncio.sleep(0)  # generators that were left half-way close themselves in tasks of their own
    leaked = asyncio.all_tasks() - {asyncio.current_task()}
    if leaked:
        raise LeakedTasks(", ".join(sorted(task.get_name() for task in leaked)))
    return answer
