"""Sessions that are open and say nothing, beside some that speak: they cost nothing, so they turn nobody away."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from scripted_session import CONFIG, written
from starling.core.load import Load, Rung
from starling.core.ports import AudioLog
from starling.core.records import Checkpoint, Opened
from virtual_time import run
from worker.costed import CostedEngine, Heard, talk
from worker.rig import Rig

IDLE = 600
SPEAKERS = 8


async def idle(log: AudioLog, session_id: str, over: asyncio.Event, *, silence: float) -> None:
    """A session of which nothing comes but some ``silence`` at once, until it is ``over``."""
    await log.append(Opened(session_id, "trace", Checkpoint(config=CONFIG)))
    *sound, ended = written([("silence", silence)] if silence else [], session_id=session_id)
    for record in sound:
        await log.append(record)
    await over.wait()
    await log.append(replace(ended))


def play(*, silence: float) -> tuple[list[Load], Heard]:
    """What a recognizer said of itself while ``SPEAKERS`` speak among a crowd, and what one of them heard."""
    engine, one = CostedEngine(), Heard()
    told: list[Load] = []

    async def scenario() -> None:
        rig = Rig(decode=lambda: engine.cost, listen=lambda: 0.002, engine=engine)
        over = asyncio.Event()

        async def watch() -> None:
            for _ in range(30):
                await asyncio.sleep(1.0)
                told.extend(rig.board.loads().values())
            over.set()

        async with rig.running(), asyncio.TaskGroup() as tasks:
            for index in range(IDLE):
                await rig.results.subscribe(f"idle {index}")
                tasks.create_task(idle(rig.log, f"idle {index}", over, silence=silence))
            for index in range(SPEAKERS):
                records = talk(str(index), 30.0, offset=index * 0.6)
                tasks.create_task(rig.client(str(index), records, config=CONFIG, heard=one if index == 0 else None))
            await watch()

    run(scenario())
    return told, one


@pytest.mark.parametrize("silence", [0.0, 1.0], ids=["nothing", "silence"])
def test_a_crowd_shuts_the_door_for_seconds_and_leaves_it_open_then(silence: float) -> None:
    told, heard = play(silence=silence)
    assert told[0].sessions == IDLE + SPEAKERS
    assert told[0].rung is Rung.REFUSING or not silence, "all of them may speak yet"
    settled = told[4:]
    assert {load.rung for load in settled} == {Rung.NORMAL}
    assert min(load.places for load in settled) >= 10
    assert max(heard.final_latencies()) < 0.3
