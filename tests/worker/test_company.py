"""What clients that send faster than speech do to those that speak: nothing."""

from __future__ import annotations

import asyncio

import pytest

from starling.core.config import SessionConfig
from starling.core.transcript import Transcript
from starling.session.options import SegmentationOptions
from virtual_time import run
from worker.costed import CostedEngine, Heard, talk
from worker.rig import Rig

CONFIG = SessionConfig(partial_interval=0.3, endpoint_silence=0.5)
OPTIONS = SegmentationOptions()


def play(fast: int, *, recording: float = 600.0, speed: float = 1.0) -> tuple[Heard, CostedEngine, list[float]]:
    """One live client and ``fast`` that send a recording at once; what the live one heard, and when the others were done."""
    engine = CostedEngine(speed)
    live = Heard()
    done: list[float] = []

    async def recorded(rig: Rig, name: str) -> None:
        events = await rig.client(name, talk(name, recording), config=CONFIG, in_real_time=False)
        assert sum(isinstance(event, Transcript) and event.is_final for event in events) == round(recording / 4.8)
        done.append(rig.clock.now())

    async def scenario() -> None:
        rig = Rig(decode=lambda: engine.cost, listen=lambda: 0.002, engine=engine, segmentation=OPTIONS)
        async with rig.running(), asyncio.TaskGroup() as tasks:
            tasks.create_task(rig.client("live", talk("live", 60.0), config=CONFIG, heard=live))
            for index in range(fast):
                tasks.create_task(recorded(rig, f"fast{index}"))

    run(scenario())
    return live, engine, done


@pytest.mark.parametrize("fast", [3, 12])
def test_a_live_client_is_not_disturbed_by_clients_that_send_a_recording_at_once(fast: int) -> None:
    alone, _, _ = play(0)
    company, engine, done = play(fast)
    longest_job = 3 * (0.004 + 0.004 * 5.0)
    assert max(company.final_latencies()) <= max(alone.final_latencies()) + longest_job + 0.03
    assert company.partials() >= 0.9 * alone.partials()
    assert engine.busy >= 0.9 * min(60.0, max(done)), "what the live client leaves is theirs"
    assert max(done) - min(done) < 0.1 * max(done), "they share it fairly"
