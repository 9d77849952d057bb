from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.witness_contract import WitnessContract
from starling.bus.shared.arena import key_of
from starling.core.errors import ServerError
from starling.core.ports import MOST_WITNESSED, Work
from starling.supervisor.sheets import METRICS, MOST_SUSPECTS, SharedWitness, Sheets


@contextlib.contextmanager
def sheets(rows: int = 2) -> Iterator[Sheets]:
    made = Sheets.create(rows)
    try:
        yield made
    finally:
        made.close()


class TestSharedWitness(WitnessContract):
    @pytest.fixture(autouse=True)
    def _sheets(self) -> Iterator[None]:
        with sheets() as self.sheets:
            yield

    def make(self) -> SharedWitness:
        return SharedWitness(self.sheets, 1)

    def in_hand(self) -> Mapping[Work, int]:
        return {work: len(hand.keys) for work, hand in Sheets.attach(self.sheets.fd).in_hand(1).items()}

    def suspect(self, session_ids: Sequence[str]) -> None:
        self.sheets.suspect([key_of(session_id) for session_id in session_ids])


def test_what_is_in_hand_is_seen_through_another_mapping_until_the_call_is_over() -> None:
    with sheets() as mine:
        witness, other = SharedWitness(mine, 1), Sheets.attach(mine.fd)
        with witness.watch(Work.DECODE, ["a", "b"]), witness.watch(Work.LISTEN, ["c"]):
            hands = other.in_hand(1)
            assert hands[Work.DECODE].keys == (key_of("a"), key_of("b"))
            assert hands[Work.LISTEN].keys == (key_of("c"),)
            assert other.in_hand(0) == {}
        assert other.in_hand(1) == {}


def test_a_call_that_ends_the_process_stays_in_hand() -> None:
    with sheets() as mine:
        mine.begin(0, Work.DECODE, [key_of("a")])
        assert mine.in_hand(0)[Work.DECODE].keys == (key_of("a"),)
        mine.clear(0)
        assert mine.in_hand(0) == {}


def test_more_than_can_be_named_is_cut() -> None:
    with sheets() as mine:
        mine.begin(0, Work.LISTEN, range(1, 200))
        assert len(mine.in_hand(0)[Work.LISTEN].keys) == MOST_WITNESSED


@given(st.lists(st.lists(st.integers(1, 2**64 - 1), max_size=80, unique=True), max_size=6))
def test_suspects_are_the_last_ones_told(told: list[list[int]]) -> None:
    with sheets() as mine:
        for keys in told:
            mine.suspect(keys)
            assert mine.suspects() == frozenset(keys[-MOST_SUSPECTS:])


def test_messages_and_metrics() -> None:
    with sheets() as mine:
        assert mine.said(0) == b""
        mine.say(0, b"hello")
        assert mine.said(0) == b"hello"
        number = mine.ask()
        assert mine.answered(1, number) is None
        mine.answer(1, number, b"page")
        assert mine.answered(1, number) == b"page"
        assert mine.answered(1, mine.ask()) is None
        mine.answer(1, mine.asked, b"x" * (METRICS + 1))
        assert mine.answered(1, mine.asked) == b""


def test_a_sheet_that_is_not_there_is_refused() -> None:
    with sheets() as mine, pytest.raises(ServerError, match="a sheet from 0 to 1"):
        mine.said(2)
