"""A process beside the server that hangs is replaced."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.platform_harness import eventually
from starling.app import keeping, pulse
from starling.app.keeping import Keeper, kept
from starling.app.pulse import BEGINNING, PATIENCE, Pulse
from starling.supervisor.launch import Launch, Role
from starling.supervisor.sheets import Sheets
from starling.telemetry.clock import SystemClock

ROW = 1


@given(looks=st.lists(st.integers(1, PATIENCE - 1), min_size=1, max_size=20))
def test_who_gives_signs_of_life_now_and_then_is_not_taken_for_hung(looks: list[int]) -> None:
    life = Pulse()
    for beats, silent in enumerate(looks, 1):
        assert not any(life.hung(beats) for _ in range(silent + 1))


@pytest.mark.parametrize(("last", "patience"), [(0, BEGINNING), (7, PATIENCE)])
def test_who_falls_silent_is(last: int, patience: int) -> None:
    life = Pulse()
    life.hung(last)
    looks = [life.hung(last) for _ in range(patience)]
    assert looks.index(True) >= patience - 2


def keeper(sheets: Sheets) -> Keeper:
    def launch() -> Launch:
        return Launch(
            role=Role.TRANSCRIBER, row=ROW, worker=0, name="silent", core=None, settings=msgspec.Raw(b"{}"),
            capabilities=msgspec.Raw(b"null"), arena=-1, sheets=sheets.fd, listener=-1, dialects={}, parent=os.getpid(),
        )  # fmt: skip

    return Keeper("app.falling_silent", launch, sheets, ROW, SystemClock())


def test_one_that_hangs_is_killed_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "LOOK", 0.05)
    monkeypatch.setattr(keeping, "END_AFTER", 0.2)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))

    async def scenario() -> None:
        with closing(Sheets.create(ROW + 1)) as sheets:
            watched = keeper(sheets)
            async with kept(watched):
                await eventually(lambda: sheets.said(ROW) == b"silent")
                first = watched._process
                assert first is not None
                await eventually(lambda: first.poll() == -signal.SIGKILL)
                await eventually(lambda: watched._process is not first and sheets.said(ROW) == b"silent")
                last = watched._process
            assert last is not None
            assert last.poll() is not None

    asyncio.run(scenario())
