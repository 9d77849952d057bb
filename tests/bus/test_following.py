"""What a recognizer follows, without a log: what stays needed, what is heard, and who is suspected."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from contracts.audio_log_contract import audio, checkpoint, opened
from starling.bus.entries import Entry, pack_entry
from starling.bus.following import STRIKES, Bounds, Following, Part, Reading
from starling.bus.kafka.following import Offsets, OnKafka
from starling.bus.kafka.group import Value
from starling.bus.kafka.stamps import mark, stamped
from starling.core.records import Audio, Barred, Finalize, Revoked


class Numbered(Reading[int]):
    """On a log whose records have numbers."""

    @property
    def bounds(self) -> Bounds:
        return Bounds(str(self.oldest).encode())


def followed() -> tuple[Following[Part, Reading[int]], set[str], list[str]]:
    suspects, dropped = {"before"}, list[str]()
    return Following(suspects, dropped.append), suspects, dropped


@given(st.lists(st.booleans(), max_size=30), st.integers(0, 40))
def test_what_a_checkpoint_does_not_cover_stays_needed(kinds: list[bool], position: int) -> None:
    reading: Reading[int] = Numbered(opened(), 0)
    end, left = 0, list[int]()
    for at, is_sound in enumerate(kinds):
        end += is_sound
        entry = Entry(audio(end - 1, end, at) if is_sound else Finalize("s", at), end)
        assert reading.count(at, entry)
        if end > position or (end == position and not is_sound):
            left.append(at)
    reading.commit(checkpoint(position))
    assert reading.oldest == (left[0] if left else None)
    assert reading.newest == (len(kinds) - 1 if kinds else None)


def test_of_controls_at_one_place_the_first_is_remembered() -> None:
    reading: Reading[int] = Numbered(opened(), 0)
    for at in range(100):
        assert reading.count(at, Entry(Finalize("s", at), 0))
    assert [it.at for it in reading.needed] == [0]


def test_a_partition_that_is_leased_anew_is_lost_first() -> None:
    it, suspects, dropped = followed()
    assert not suspects
    it.parts[0] = Part(1)
    it.begin(Numbered(opened(), 0), strikes=1)
    assert it.hear() == [opened()]
    assert suspects == {"s"}
    assert it.has_heard(0, "1")
    assert it.lost({0: 1}) == []
    assert it.lost({0: 2}) == [0]
    assert it.hear() == [Revoked("s")]
    assert (suspects, dropped, it.readings) == (set(), ["s"], {})
    assert not it.has_heard(0, "1")


def test_who_has_too_many_strikes_is_barred_and_a_commit_that_gets_further_clears() -> None:
    it, suspects, _ = followed()
    it.begin(Numbered(opened(), 0), STRIKES)
    assert it.hear() == [opened(), Barred("s")]
    it.begin(Numbered(replace(opened(), session_id="t"), 0), STRIKES - 1)
    assert it.commit("t", checkpoint(0)) is not None
    assert suspects == {"t"}
    assert it.commit("t", checkpoint(1)) is not None
    assert suspects == set()
    assert it.commit("t", checkpoint(0)) is None, "an older one"
    assert it.commit("nobody", checkpoint(0)) is None


def test_what_a_session_needs_is_never_committed_to_kafka() -> None:
    suspects: set[str] = set()
    it = OnKafka(suspects, lambda _: None)
    it.parts[0] = Offsets(1, next=10, until=13, writers=0, kept=10)

    def take(offset: int, value: bytes) -> bool:
        return it.take(Value(0, offset, b"s", value), offset=0.0)

    assert not take(9, stamped(1, 0, pack_entry(opened(), 0))), "before what was asked for"
    assert not take(10, stamped(1, 0, pack_entry(opened(), 0)))
    assert take(11, stamped(1, 1, pack_entry(audio(0, 100, 0), 100)))
    assert not take(12, stamped(1, 1, pack_entry(audio(0, 100, 0), 100))), "again"
    assert it.needless(0) == 11
    assert it.needless(0) is None, "as before"
    it.commit("s", checkpoint(100))
    assert not take(13, mark(2))
    assert it.needless(0) == 13, "without the mark older records would count"
    assert take(14, stamped(2, 2, pack_entry(audio(100, 200, 1), 200)))
    assert it.needless(0) == 14
    it.forget("s")
    assert it.needless(0) == 15
    assert [record.start for record in it.hear() if isinstance(record, Audio)] == [0, 100]
    assert it.needless(1) is None, "nobody's"
