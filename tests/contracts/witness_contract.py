"""What every Witness promises. A module inherits WitnessContract and says how to make one, and how it is told of suspects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Thread

import pytest

from starling.core.ports import Witness, Work


class WitnessContract:
    def make(self) -> Witness:
        raise NotImplementedError

    def in_hand(self) -> Mapping[Work, int]:
        """For how many sessions each kind of work is done now, as others see it."""
        raise NotImplementedError

    def suspect(self, session_ids: Sequence[str]) -> None:
        """Make these suspects, and no others."""
        raise NotImplementedError

    def test_work_is_seen_for_as_long_as_it_is_done(self) -> None:
        witness = self.make()
        with witness.watch(Work.DECODE, ["a", "b"]):
            with witness.watch(Work.LISTEN, ["c"]):
                assert self.in_hand() == {Work.DECODE: 2, Work.LISTEN: 1}
            assert self.in_hand() == {Work.DECODE: 2}
        assert self.in_hand() == {}

    def test_work_that_raises_is_over_too(self) -> None:
        witness = self.make()
        with pytest.raises(RuntimeError), witness.watch(Work.DECODE, ["a"]):
            raise RuntimeError
        assert self.in_hand() == {}

    def test_who_is_read_is_known_while_it_is_as_often_as_that_is(self) -> None:
        witness = self.make()
        reading = witness.reading("a")
        for _ in range(2):
            with reading:
                assert self.in_hand() == {Work.READ: 1}
            assert self.in_hand() == {}

    def test_who_reads_inside_of_a_reading_leaves_nobody_there(self) -> None:
        witness = self.make()
        with witness.reading("a"):
            with witness.reading("a"):
                assert self.in_hand() == {Work.READ: 1}
            assert self.in_hand() == {}
        assert self.in_hand() == {}

    def test_suspects_are_those_last_told(self) -> None:
        witness = self.make()
        assert "a" not in witness.suspects()
        self.suspect(["a", "b"])
        self.suspect(["b", "c"])
        assert [name in witness.suspects() for name in "abc"] == [False, True, True]

    def test_one_suspect_waits_for_another_and_nobody_else_does(self) -> None:
        witness = self.make()
        self.suspect(["a", "b"])
        seen: list[Mapping[Work, int]] = []

        def listen() -> None:
            with witness.watch(Work.LISTEN, ["b"]):
                seen.append(self.in_hand())

        other = Thread(target=listen)
        with witness.watch(Work.DECODE, ["a"]):
            other.start()
            other.join(0.1)
            assert self.in_hand() == {Work.DECODE: 1}
        other.join()
        assert seen == [{Work.LISTEN: 1}]
        with witness.watch(Work.DECODE, ["a"]), witness.watch(Work.LISTEN, ["c", "d"]):
            assert self.in_hand() == {Work.DECODE: 1, Work.LISTEN: 2}
