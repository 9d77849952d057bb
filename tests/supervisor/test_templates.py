"""Real processes are copied from real ones, which load nothing."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from patience import PATIENCE
from starling.supervisor.copies import Copy
from starling.supervisor.options import SupervisorOptions
from starling.supervisor.restarts import Restarts
from starling.supervisor.template import Template, adopt_orphans
from starling.supervisor.templates import TemplateFailed, Templates
from starling.telemetry.clock import SystemClock

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies are made on Linux only")


@pytest.fixture(autouse=True)
def orphans() -> None:
    adopt_orphans()


class Nursery:
    """``kind``: what the next template is like, see ``copied``. ``tell``: where a copy may write."""

    def __init__(self, kind: str, inherited: tuple[int, ...]) -> None:
        self.kind = kind
        self.started: list[Template] = []
        self._inherited = inherited
        self.templates = Templates(
            "template",
            self._start,
            lambda said: said == b"yes",
            Restarts(SupervisorOptions(workers=1), random.random),
            SystemClock(),
        )

    async def _start(self) -> Template:
        ours, its = Template.channel()
        with its:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "supervisor.copied", str(its.fileno()), self.kind,
                pass_fds=(its.fileno(), *self._inherited),
                process_group=0,
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])},
                stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        self.started.append(Template(process, ours, patience=PATIENCE))
        return self.started[-1]

    def copy(self, launch: str) -> Copy:
        return Copy(self.templates.copy(launch.encode()), self.templates.renew)


def played(scenario: Callable[[Nursery, int, int], Coroutine[Any, Any, None]], kind: str = "good") -> None:
    async def main() -> None:
        read, write = os.pipe()
        nursery = Nursery(kind, (write,))
        try:
            async with asyncio.timeout(PATIENCE):
                await scenario(nursery, read, write)
        finally:
            await nursery.templates.close()
            os.close(read)
            os.close(write)
        assert children() <= before  # nobody is left behind; servers of other tests may be there

    before = children()
    asyncio.run(main())


def children() -> set[int]:
    """Processes whose parent this one is, those included that ended and that nobody waited for."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            _, parent, *_ = path.read_text().rpartition(")")[2].split()
            if int(parent) == os.getpid():
                found.add(int(path.parent.name))
    return found


async def heard(read: int) -> list[str]:
    told = await asyncio.get_running_loop().run_in_executor(None, os.read, read, 100)
    return told.decode().split()


def test_a_copy_is_a_child_in_a_group_of_its_own_and_its_end_is_known() -> None:
    async def scenario(nursery: Nursery, read: int, write: int) -> None:
        child = nursery.copy(f"tell {write}")
        assert await child.wait() == 0
        pid, parent, group, _ = await heard(read)
        assert (int(pid), int(parent), int(group)) == (child.pid, os.getpid(), child.pid)
        assert await nursery.copy("exit 7").wait() == 7
        waiting = nursery.copy("wait")
        while not waiting.pid:  # noqa: ASYNC110 - other processes make it true
            await asyncio.sleep(0.01)
        waiting.send_signal(signal.SIGSEGV)
        assert await waiting.wait() == -signal.SIGSEGV
        waiting.kill()  # of no effect

    played(scenario)


def test_many_copies_at_once_come_from_one_template() -> None:
    async def scenario(nursery: Nursery, read: int, write: int) -> None:
        statuses = await asyncio.gather(*(nursery.copy(f"exit {n}").wait() for n in range(20)))
        assert statuses == list(range(20))
        assert len(nursery.started) == 1

    played(scenario)


def test_copies_outlive_a_template_that_is_killed_and_another_one_is_there_soon() -> None:
    async def scenario(nursery: Nursery, read: int, write: int) -> None:
        waiting = nursery.copy("wait")
        while not waiting.pid:  # noqa: ASYNC110 - other processes make it true
            await asyncio.sleep(0.01)
        os.kill(nursery.started[0].pid, signal.SIGKILL)
        await nursery.started[0].wait()
        while len(nursery.started) < 2:  # noqa: ASYNC110 - nobody asked for it
            await asyncio.sleep(0.01)
        assert await nursery.copy("exit 5").wait() == 5
        waiting.kill()
        assert await waiting.wait() == -signal.SIGKILL

    played(scenario)


def test_a_template_that_stands_still_is_replaced_and_its_copy_made_by_the_next() -> None:
    async def scenario(nursery: Nursery, read: int, write: int) -> None:
        assert await nursery.copy("exit 0").wait() == 0
        os.kill(nursery.started[0].pid, signal.SIGSTOP)
        assert await nursery.copy("exit 5").wait() == 5
        assert len(nursery.started) == 2

    played(scenario)


def test_a_template_that_stands_still_is_replaced_before_anybody_needs_it() -> None:
    async def scenario(nursery: Nursery, read: int, write: int) -> None:
        assert await nursery.copy("exit 0").wait() == 0
        os.kill(nursery.started[0].pid, signal.SIGSTOP)
        while len(nursery.started) < 2:  # noqa: ASYNC110 - nobody asked for it
            await asyncio.sleep(0.01)
        assert await nursery.copy("exit 5").wait() == 5

    played(scenario)


def test_what_keeps_a_template_from_loading_ends_its_copies_and_is_not_tried_again_unasked() -> None:
    async def scenario(nursery: Nursery, read: int, write: int) -> None:
        with pytest.raises(TemplateFailed) as failed:
            await nursery.templates.copy(b"exit 0")
        assert (failed.value.status, failed.value.said) == (3, b"no")
        assert await nursery.copy("exit 0").wait() == 3
        nursery.kind = "good"
        assert await nursery.copy("exit 5").wait() == 5
        assert len(nursery.started) == 3

    played(scenario, "fail")


def test_a_template_with_threads_is_not_copied() -> None:
    async def scenario(nursery: Nursery, read: int, write: int) -> None:
        with pytest.raises(TemplateFailed) as failed:
            await nursery.templates.copy(b"exit 0")
        assert (failed.value.status, failed.value.said) == (1, b"")

    played(scenario, "threads")


def test_whoever_is_killed_while_the_template_loads_takes_that_along() -> None:
    async def scenario(nursery: Nursery, read: int, write: int) -> None:
        child = nursery.copy("exit 0")
        while not nursery.started:  # noqa: ASYNC110 - other tasks make it true
            await asyncio.sleep(0.01)
        child.kill()
        assert await child.wait() == -signal.SIGKILL
        assert await nursery.started[0].wait() == -signal.SIGKILL

    played(scenario, "hang")


def test_renewed_templates_are_what_start_makes_then() -> None:
    async def scenario(nursery: Nursery, read: int, write: int) -> None:
        assert await nursery.copy("exit 0").wait() == 0
        nursery.kind = "newer"
        nursery.templates.renew()
        assert await nursery.copy(f"tell {write}").wait() == 0
        assert (await heard(read))[-1] == "newer"

    played(scenario)


def test_who_waits_for_a_template_that_is_renewed_gets_its_successor() -> None:
    async def scenario(nursery: Nursery, read: int, write: int) -> None:
        child = nursery.copy("exit 5")
        while not nursery.started:  # noqa: ASYNC110 - other tasks make it true
            await asyncio.sleep(0.01)
        nursery.kind = "good"
        nursery.templates.renew()
        assert await child.wait() == 5

    played(scenario, "hang")


def test_a_template_ends_when_its_supervisor_lets_go_of_it() -> None:
    async def scenario(nursery: Nursery, read: int, write: int) -> None:
        assert await nursery.copy("exit 0").wait() == 0
        template = nursery.started[0]
        template._requests.shutdown(2)  # as the kernel does when the supervisor ends
        assert await template.wait() == 0

    played(scenario)
