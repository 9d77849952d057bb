"""What a reload takes, and what it leaves as it was."""

from __future__ import annotations

import pytest

from starling.config.groups.edge import Server
from starling.config.groups.recognition import Engine, EngineName, Precision, Scheduler, Segmentation
from starling.config.groups.telling import Log
from starling.config.reloading import OTHERS, RELOADED, RELOADED_IN_PLACE, reloaded
from starling.config.settings import Settings
from starling.telemetry.logs import LogLevel

RUNNING = Settings(engine=Engine(name=EngineName.SCRIPTED), server=Server(port=1))


def test_what_concerns_a_recognizer_alone_is_taken_and_the_rest_named() -> None:
    read = Settings(
        engine=Engine(name=EngineName.MOONSHINE_TINY_EN, precision=Precision.EXACT),
        server=Server(port=2),
        segmentation=Segmentation(tail=0.5),
        log=Log(level=LogLevel.DEBUG),
    )
    taken, waiting = reloaded(RUNNING, read)
    assert (taken.segmentation, taken.log) == (read.segmentation, read.log)
    assert (taken.engine, taken.server) == (RUNNING.engine, RUNNING.server)
    assert set(waiting) == {"engine.name", "engine.precision", "server.port"}


def test_a_reload_of_the_same_settings_names_nothing() -> None:
    assert reloaded(RUNNING, RUNNING) == (RUNNING, ())


def test_one_process_takes_less_and_names_the_rest() -> None:
    read = RUNNING.model_copy(update={"scheduler": Scheduler(capacity=0.5), "log": Log(level=LogLevel.DEBUG)})
    taken, waiting = reloaded(RUNNING, read, RELOADED_IN_PLACE)
    assert (taken.log, taken.scheduler) == (read.log, RUNNING.scheduler)
    assert waiting == ("scheduler.capacity",)
    assert RELOADED_IN_PLACE < RELOADED


@pytest.mark.parametrize("group", sorted(RELOADED | OTHERS))
def test_groups_are_those_of_the_settings(group: str) -> None:
    assert group in Settings.model_fields
