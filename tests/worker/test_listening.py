from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from scripted_session import Part, written
from starling.core.audio import FRAME, Frames, samples, seconds
from starling.core.ports import Probabilities, VadStream
from starling.core.records import Record
from starling.core.transcript import SpeechStarted
from starling.vad.energy import EnergyVad
from starling.worker.listening import MANY, MOST_FRAMES, TICK, pause, turn
from virtual_time import run
from worker.costed import Heard
from worker.rig import Rig


class CountingVad(EnergyVad):
    """``batches``: how many listeners, and how many frames, each call had."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[tuple[int, int]] = []

    def score(self, batch: Sequence[tuple[VadStream, Frames]]) -> list[Probabilities]:
        self.batches.append((len(batch), sum(len(frames) for _, frames in batch)))
        return super().score(batch)


def said(session_id: str, duration: float, chunk: float) -> list[Record]:
    parts: list[Part] = [("silence", 0.5), ("speech", duration)]
    return written(parts, range(samples(chunk), samples(60.0), samples(chunk)), session_id)


def listen(sessions: int, *, chunk: float = 0.02, fast: int = 0) -> tuple[CountingVad, list[Heard]]:
    """``sessions`` in real time, a chunk every ``chunk`` seconds, none at the time of another; and what they heard."""
    vad = CountingVad()
    heard = [Heard() for _ in range(sessions)]

    async def scenario() -> None:
        rig = Rig(vad=vad, listen=lambda: 0.001)

        async def client(index: int) -> None:
            await asyncio.sleep(index * chunk / sessions)
            await rig.client(f"live{index}", said(f"live{index}", 5.0, chunk), heard=heard[index])

        async with rig.running(), asyncio.TaskGroup() as tasks:
            for index in range(sessions):
                tasks.create_task(client(index))
            for index in range(fast):
                tasks.create_task(rig.client(f"fast{index}", said(f"fast{index}", 50.0, 1.0), in_real_time=False))

    run(scenario())
    return vad, heard


def test_frames_of_many_sessions_are_scored_together() -> None:
    vad, _ = listen(16)
    assert np.mean([listeners for listeners, _ in vad.batches]) > 8
    assert len(vad.batches) < 5.5 / TICK * 1.3


@pytest.mark.parametrize(("sessions", "longest"), [(1, 0.005), (16, TICK + 0.005)])
def test_waiting_for_company_takes_a_tick_at_most_and_nothing_of_who_is_alone(sessions: int, longest: float) -> None:
    _, heard = listen(sessions)
    for index, one in enumerate(heard):
        at, started = next((at, event) for at, event in one.events if isinstance(event, SpeechStarted))
        sure = seconds(started.at + 3 * FRAME)  # when min_speech of it has been heard
        chunk = 0.02
        assert at - index * chunk / sessions - sure <= chunk + longest


def test_recordings_do_not_make_a_batch_too_long_for_those_who_speak() -> None:
    vad, _ = listen(2, fast=40)
    assert max(frames for _, frames in vad.batches) <= MOST_FRAMES


@pytest.mark.parametrize(("sessions", "expected"), [(0, 0.0), (1, 0.0), (1 + MANY // 2, TICK / 2), (1 + MANY, TICK), (500, TICK)])
def test_the_more_are_open_the_longer_sound_is_gathered(sessions: int, expected: float) -> None:
    assert pause(sessions) == pytest.approx(expected)


def test_nobody_waits_gives_no_turn() -> None:
    assert turn([]) == []
