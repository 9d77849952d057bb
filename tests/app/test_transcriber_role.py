"""When the process that transcribes is tried again, and what its end means."""

from __future__ import annotations

import signal

import msgspec
import pytest

from starling.app.transcriber_role import Beginning, exit_status
from starling.core.errors import InvalidOption, ServerError
from starling.supervisor.presence import Said

READY = msgspec.json.encode(Said())
REFUSED = msgspec.json.encode(Said(code=InvalidOption.code, message="expected a store"))


@pytest.mark.parametrize("status", [1, -signal.SIGSEGV])
def test_one_that_ends_by_itself_before_any_came_to_work_is_the_end(status: int) -> None:
    with pytest.raises(ServerError, match="the log says more"):
        Beginning().ended(status, b"")


def test_its_own_words_are_passed_on_as_they_were_meant() -> None:
    with pytest.raises(InvalidOption, match="expected a store"):
        Beginning().ended(1, REFUSED)


@pytest.mark.parametrize("status", [-signal.SIGKILL, -signal.SIGTERM, 0])
def test_one_that_somebody_ended_is_tried_again(status: int) -> None:
    beginning = Beginning()
    beginning.ended(status, b"")
    assert not beginning.over.is_set()


def test_once_one_worked_there_is_always_another() -> None:
    beginning = Beginning()
    beginning.ended(-signal.SIGSEGV, READY)
    for said in (b"", REFUSED):
        beginning.ended(1, said)


@pytest.mark.parametrize(
    ("status", "shown"), [(None, 0), (0, 0), (-signal.SIGTERM, 0), (1, 1), (-signal.SIGKILL, 137), (-signal.SIGSEGV, 139)]
)
def test_it_ends_as_its_child_did_but_for_what_it_was_told(status: int | None, shown: int) -> None:
    assert exit_status(status) == shown
