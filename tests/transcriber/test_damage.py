"""What is said of recordings that are not whole."""

from __future__ import annotations

import pytest

from starling.core.errors import CorruptAudio
from starling.transcriber.damage import damage


def codes(*, taken: float, promised: float | None = None, lost: int = 0, broke: bool = False, speech: bool = True) -> list[str]:
    error = CorruptAudio("the recording is damaged") if broke else None
    return [one.code for one in damage(taken=taken, promised=promised, lost=lost, broke=error, speech=speech)]


@pytest.mark.parametrize("promised", [None, 1.0, 60.0, 60.9, 61.0])
def test_nothing_is_said_of_one_that_is_whole(promised: float | None) -> None:
    assert codes(taken=60.0, promised=promised, lost=2) == []


def test_how_much_is_missing_is_said() -> None:
    [one] = damage(taken=12.34, promised=60.0, lost=0, broke=None, speech=True)
    assert (one.code, one.at) == ("breaks_off", 12.34)
    assert one.message == "the recording breaks off at 12.3 s of 60.0 s: the file is incomplete"


def test_what_broke_is_said_once() -> None:
    assert codes(taken=12.3, promised=60.0, broke=True) == ["damaged"]
    [one] = damage(taken=12.3, promised=None, lost=0, broke=CorruptAudio("it is damaged"), speech=True)
    assert one.message == "the recording cannot be read beyond 12.3 s: it is damaged"


def test_all_that_is_wrong_is_said() -> None:
    assert codes(taken=1.0, promised=60.0, lost=3, speech=False) == ["breaks_off", "gaps", "no_speech"]


def test_a_missing_end_is_said_where_nothing_else_is_known() -> None:
    [one] = damage(taken=12.34, promised=None, lost=0, broke=None, speech=True, unfinished=True)
    assert (one.code, one.at) == ("breaks_off", 12.34)
    assert codes(taken=12.3, broke=True) == ["damaged"]
