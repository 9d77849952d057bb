from __future__ import annotations

import asyncio

import pytest

from bus.shared.rig import arena
from contracts.audio_log_contract import audio, checkpoint, opened
from contracts.load_board_contract import load
from starling.bus.shared.arena import key_of
from starling.bus.shared.custody import Custody
from starling.bus.shared.layout import Hold
from starling.bus.shared.load_board import SharedLoadBoard
from starling.bus.shared.log_reader import LogReader
from starling.bus.shared.log_writer import LogWriter
from starling.bus.shared.results_reader import ResultsReader
from starling.bus.shared.slots import Slots
from starling.core.errors import IllegalTransition, ServerError, SessionGone
from starling.core.transcript import SessionFailed


def test_a_session_goes_from_worker_to_worker() -> None:
    shared = arena()
    writer, custody = LogWriter(shared, Slots(shared)), Custody(shared)
    writer.open(opened())
    writer.offer(audio(0, 100))
    SharedLoadBoard(shared, {"w": 1}).post("w", load(1))
    assert custody.loads() == {1: load(1)}
    [slot] = custody.waiting()
    custody.assign(slot, 1)
    assert (custody.waiting(), custody.owned(0), custody.owned(1)) == ([], 0, 1)
    LogReader(shared, 1).commit("s", checkpoint(64))
    assert custody.commits() == {key_of("s"): 64}
    assert custody.reclaim(1) == 1
    assert (custody.waiting(), custody.loads()) == ([slot], {})


def test_a_session_that_nobody_may_have_is_over_with_a_reason() -> None:
    async def scenario() -> None:
        shared = arena()
        slots, custody = Slots(shared), Custody(shared)
        slot = slots.hold("s", Hold.RESULTS)
        writer = LogWriter(shared, slots)
        writer.open(opened())
        custody.assign(slot, 0)
        with pytest.raises(IllegalTransition, match="worker 0"):
            await custody.fail(key_of("s"), ServerError("broken"))
        custody.reclaim(0)
        await custody.fail(key_of("s"), ServerError("broken"))
        await custody.fail(key_of("nobody"), ServerError("broken"))
        assert ResultsReader(shared, slot, shared.generation(slot)).new() == [SessionFailed("s", "internal", "broken")]
        assert (custody.waiting(), custody.commits()) == ([], {})
        slots.collect()
        with pytest.raises(SessionGone):
            writer.offer(audio(0, 100))

    asyncio.run(scenario())
