"""A segment's first words go before what others already read, also where the first try finds none."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from starling.core.audio import seconds
from starling.core.config import SessionConfig
from starling.core.ports import DecodeOutcome, EngineStream
from starling.core.transcript import Hypothesis
from starling.engine.scripted import ScriptedStream
from virtual_time import run
from worker.costed import CostedEngine, Heard, talk
from worker.rig import Rig
from worker.test_overload import RATED

CONFIG = SessionConfig(partial_interval=0.3, endpoint_silence=0.5)
DURATION = 20.0
WARM = 8.0


class SlowToUnderstand(CostedEngine):
    """Finds no words in a partial of less than ``deaf`` seconds. ``partials``: how many it decoded, by what it found."""

    def __init__(self, deaf: float) -> None:
        super().__init__()
        self.deaf = deaf
        self.partials: Counter[bool] = Counter()

    def decode_streams(self, streams: Sequence[EngineStream]) -> list[DecodeOutcome]:
        return [self._muffled(*pair) for pair in zip(streams, super().decode_streams(streams), strict=True)]

    def _muffled(self, stream: EngineStream, outcome: DecodeOutcome) -> DecodeOutcome:
        assert isinstance(stream, ScriptedStream)
        assert isinstance(outcome, Hypothesis)
        snapshot = stream.snapshot()
        if snapshot.is_final:
            return outcome
        understood = seconds(len(snapshot.samples)) >= self.deaf
        self.partials[understood] += 1
        return outcome if understood else replace(outcome, text="", words=(), confidence=None)


@cache
def play(sessions: int, deaf: float) -> tuple[list[Heard], SlowToUnderstand]:
    """What ``sessions`` that all speak heard."""
    engine = SlowToUnderstand(deaf)
    told = [Heard() for _ in range(sessions)]

    async def scenario() -> None:
        rig = Rig(decode=lambda: engine.cost, listen=lambda: 0.002, engine=engine)
        async with rig.running(), asyncio.TaskGroup() as tasks:
            for index, heard in enumerate(told):
                records = talk(str(index), DURATION, offset=(index * 0.618 * 4.8) % 4.8)
                tasks.create_task(rig.client(str(index), records, config=CONFIG, heard=heard))

    run(scenario())
    return told, engine


def first_words(told: Sequence[Heard]) -> float:
    """95 of 100 segments have their first words after so many seconds of speech."""
    return float(np.percentile([late for heard in told for late in heard.first_latencies(WARM)], 95))


def test_at_the_rated_load_first_words_come_nearly_as_soon_as_at_light_load() -> None:
    light, _ = play(4, 0.0)
    rated, _ = play(RATED, 0.0)
    assert first_words(light) < 0.4
    assert first_words(rated) < first_words(light) + 0.2


def test_who_was_shown_nothing_yet_is_asked_again_as_soon_as_partials_are_asked_for() -> None:
    light, _ = play(4, 0.9)
    crowded, _ = play(round(1.5 * RATED), 0.9)
    shown = sum(heard.partials(WARM, DURATION) for heard in crowded) / len(crowded) / (DURATION - WARM)
    assert shown < 1.2, "partials come rarely there"
    assert first_words(crowded) < first_words(light) + 0.5


def test_of_whom_nothing_is_ever_understood_only_a_few_partials_go_first() -> None:
    told, deaf = play(round(1.5 * RATED), 100.0)
    _, hearing = play(round(1.5 * RATED), 0.0)
    assert not any(heard.partials() for heard in told)
    assert deaf.partials[False] < 1.5 * hearing.partials[True]
