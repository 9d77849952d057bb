"""A process may be killed at any instruction. What it leaves is whole, and another one goes on from there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.shared.killed import Killed, doomed
from bus.shared.rig import arena
from contracts.audio_log_contract import CONFIG, audio, checkpoint, gap, opened
from contracts.result_bus_contract import final, transcript
from contracts.session_directory_contract import entry
from starling.bus.shared.arena import Arena
from starling.bus.shared.directory import SharedSessionDirectory
from starling.bus.shared.layout import Hold
from starling.bus.shared.log_reader import LogReader
from starling.bus.shared.log_writer import LogWriter
from starling.bus.shared.ownership import Ownership
from starling.bus.shared.results_reader import ResultsReader
from starling.bus.shared.results_writer import ResultsWriter
from starling.bus.shared.slots import Slots
from starling.core.records import Audio, Checkpoint, Configure, Ended, Finalize, Gap, Opened, Record, SessionRecord
from starling.core.sessions import Attachment
from starling.core.transcript import SessionDone, SessionEvent, SpeechEnded, SpeechStarted, Transcript
from virtual_time import at_once

PARTS = st.floats(0, 1)
"""Which share of its last write a writer does."""


def until_killed(act: Callable[[], None]) -> None:
    with contextlib.suppress(Killed):
        act()


# --- cells ---


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=6), st.integers(0, 12), PARTS, st.binary(max_size=300))
@settings(deadline=None)
def test_a_cell_has_the_old_value_or_the_new_one(values: list[bytes], writes: int, part: float, last: bytes) -> None:
    shared = arena(slots=1)
    cells = doomed(shared, writes, part).entry
    begun = 0

    def act() -> None:
        nonlocal begun
        for value in values:
            begun += 1
            cells.write(0, 7, value)

    until_killed(act)
    done = [None, *values]
    assert shared.entry.read(0, 7) in done[begun - 1 : begun + 1]
    assert shared.entry.read(0, 8) is None
    shared.entry.write(0, 7, last)
    assert shared.entry.read(0, 7) == last


# --- the gateway ---


@st.composite
def conversations(draw: st.DrawFn) -> list[SessionRecord]:
    """What a client says: pieces of audio that are next to each other, gaps, and controls; numbered."""
    records: list[SessionRecord] = []
    end = 0
    for sequence in range(draw(st.integers(1, 25))):
        match draw(st.sampled_from(["audio", "audio", "audio", "gap", "finalize", "configure"])):
            case "audio" | "gap" as kind:
                start, end = end, end + draw(st.integers(1, 400))
                records.append((audio if kind == "audio" else gap)(start, end, sequence))
            case "finalize":
                records.append(Finalize("s", sequence))
            case "configure":
                records.append(Configure("s", sequence, CONFIG))
    records.append(Ended("s", len(records)))
    return [replace(record, received=2 * number + 1) for number, record in enumerate(records)]


def heard(records: Sequence[Record]) -> tuple[dict[int, int], list[Record]]:
    """Each sample by its position, gaps being 0, and the controls."""
    samples: dict[int, int] = {}
    for record in records:
        match record:
            case Audio():
                assert record.start == len(samples)
                samples |= dict(enumerate(record.samples.tolist(), record.start))
            case Gap():
                assert record.start == len(samples)
                samples |= dict.fromkeys(range(record.start, record.end), 0)
    return samples, [record for record in records if not isinstance(record, Audio | Gap | Opened)]


def last_of_each(records: Sequence[SessionRecord]) -> list[Record]:
    """The controls that count: of each kind the last one between two pieces of audio."""
    counting: list[SessionRecord] = []
    for record in records:
        if not isinstance(record, Audio | Gap):
            group = len(counting)
            while group and not isinstance(counting[group - 1], Audio | Gap):
                group -= 1
            counting = [r for i, r in enumerate(counting) if i < group or type(r) is not type(record)]
        counting.append(record)
    return [record for record in counting if not isinstance(record, Audio | Gap)]


def said_by(shared: Arena) -> list[Record]:
    """What a new owner reads."""
    return LogReader(Arena.attach(shared.fd), 0).take()


def small_ring(shared: Arena) -> Arena:
    """With a ring of records that is half full after a handful, so that audio grows together."""
    shared.records.limit = 2000
    return shared


@given(conversations(), st.integers(0, 150), PARTS)
@settings(deadline=None)
def test_a_gateway_goes_on_where_another_was_killed(records: list[SessionRecord], writes: int, part: float) -> None:
    shared = small_ring(arena(slots=1))
    slots = Slots(shared)
    LogWriter(shared, slots).open(opened())
    Ownership(shared).assign(0, 0)
    dying = small_ring(doomed(shared, writes, part))
    begun = 0
    live = LogReader(shared, 0)
    listened: list[Record] = []

    def act() -> None:
        nonlocal begun, listened
        writer = LogWriter(dying, Slots(dying))
        for record in records:
            begun += 1
            assert writer.offer(record)
            if begun % 3 == 0:
                listened += live.take()

    until_killed(act)
    writer = LogWriter(shared, Slots(shared))
    done = records[: begun - 1]
    tail = writer.tail("s")
    if tail.received == records[begun - 1].received:
        done = records[:begun]
    assert tail.received == (done[-1].received if done else 0)
    assert tail.ended == any(isinstance(record, Ended) for record in done)
    expected = heard([*map(whole, done)])[0]
    assert heard(said_by(shared)) == (expected, last_of_each(done))
    for record in records[len(done) :]:
        assert writer.offer(record)
    expected = heard([*map(whole, records)])[0]
    assert heard(said_by(shared)) == (expected, last_of_each(records))
    listened += live.take()
    assert heard(listened)[0] == expected
    assert set(last_of_each(records)) <= set(heard(listened)[1])


def whole(record: SessionRecord) -> SessionRecord:
    return record


@given(st.integers(0, 60), PARTS, st.lists(st.sampled_from("abc"), max_size=12))
@settings(deadline=None)
def test_no_slot_is_lost_by_a_gateway_that_is_killed(writes: int, part: float, names: list[str]) -> None:
    shared = arena(slots=4)
    dying = doomed(shared, writes, part)
    listed: set[str] = set()

    def act() -> None:
        slots = Slots(dying)
        directory, writer = SharedSessionDirectory(dying, slots), LogWriter(dying, slots)
        for name in names:
            if name not in listed and at_once(directory.get(name)) is None and slots.find(name, Hold.OPENED) is None:
                at_once(directory.put(entry(name)))
                listed.add(name)
                slots.hold(name, Hold.RESULTS)
                writer.open(opened(name))
            else:
                listed.discard(name)
                at_once(directory.remove(name))
                slots.drop(slot, Hold.RESULTS) if (slot := slots.find(name, Hold.RESULTS)) is not None else None
                writer.forget(name)
                Ownership(shared).tidy()
                slots.collect()

    until_killed(act)
    slots = Slots(shared)
    directory, writer = SharedSessionDirectory(shared, slots), LogWriter(shared, slots)
    slots.abandon_unlisted()
    found = {known.session_id for known in at_once(directory.entries())}
    assert found >= listed - {names[-1] if names else ""} or writes > 0
    assert all(known == entry(known.session_id) for known in at_once(directory.entries()))
    for name in found:
        at_once(directory.remove(name))
        if (slot := slots.find(name, Hold.RESULTS)) is not None:
            slots.drop(slot, Hold.RESULTS)
        writer.forget(name)
    Ownership(shared).tidy()
    slots.collect()
    assert [shared.holds(slot) for slot in range(4)] == [Hold(0)] * 4
    assert sorted(slots.hold(name, Hold.RESULTS) for name in "wxyz") == [0, 1, 2, 3]


# --- the owner ---


@given(st.lists(st.integers(1, 200), min_size=1, max_size=10), st.integers(0, 40), PARTS)
@settings(deadline=None)
def test_a_worker_goes_on_at_the_last_checkpoint_of_one_that_was_killed(steps: list[int], writes: int, part: float) -> None:
    shared = arena(slots=1)
    slots, ownership = Slots(shared), Ownership(shared)
    writer = LogWriter(shared, slots)
    writer.open(opened())
    ownership.assign(0, 0)
    ends = np.cumsum(steps).tolist()
    for sequence, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        writer.offer(audio(start, end, sequence))
    dying = doomed(shared, writes, part)
    begun = 0

    def act() -> None:
        nonlocal begun
        reader = LogReader(dying, 0)
        reader.take()
        for number, end in enumerate(ends):
            begun += 1
            reader.commit("s", checkpoint(end, number))

    until_killed(act)
    ownership.reclaim(0)
    ownership.assign(0, 1)
    first, *rest = LogReader(shared, 1).take()
    assert isinstance(first, Opened)
    committed = [Checkpoint(config=CONFIG), *(checkpoint(end, number) for number, end in enumerate(ends))]
    assert first.checkpoint in committed[begun - 1 : begun + 1] or (first.checkpoint, begun) == (committed[-1], len(ends))
    assert [record.end for record in rest if isinstance(record, Audio)] == [e for e in ends if e > first.checkpoint.position]
    assert writer.lag() == ends[-1] - first.checkpoint.position


@given(st.integers(1, 6), st.integers(2, 12), st.integers(0, 80), PARTS, st.data())
@settings(deadline=None)
def test_each_stage_is_told_once_whenever_a_worker_is_killed(
    segments: int, kept: int, writes: int, part: float, data: st.DataObject
) -> None:
    shared = arena(slots=1)
    slots, ownership = Slots(shared), Ownership(shared)
    slot = slots.hold("s", Hold.RESULTS)
    LogWriter(shared, slots).open(opened())
    ownership.assign(slot, 0)
    reader = ResultsReader(shared, slot, shared.generation(slot))
    said: list[SessionEvent] = []
    for number in range(segments):
        said += [SpeechStarted("s", number, number), transcript(number, 1), replace(transcript(number, 2), end=20)]
        said += [SpeechEnded("s", number, number, number), final(number, 3)]
    said.append(SessionDone("s", 1, segments))
    dying = doomed(shared, writes, part)
    listened: list[SessionEvent] = []
    begun = 0

    def act() -> None:
        nonlocal begun, listened
        worker = ResultsWriter(dying, 0, kept=kept)
        for event in said:
            begun += 1
            worker.publish(event)
            listened += reader.new()

    until_killed(act)
    ownership.reclaim(0)
    ownership.assign(slot, 1)
    worker = ResultsWriter(shared, 1, kept=kept)
    finals = [place for place, event in enumerate(said[: begun - 1]) if isinstance(event, Transcript) and event.is_final]
    again = data.draw(st.sampled_from([0, *(place + 1 for place in finals)]), label="checkpoint")
    for event in said[again:]:
        worker.publish(event)
        listened += reader.new()
    lasting = [event for event in said if not isinstance(event, Transcript) or event.is_final]
    assert [event for event in listened if not isinstance(event, Transcript) or event.is_final] == lasting
    for segment in range(segments):
        revisions = [event.revision for event in listened if isinstance(event, Transcript) and event.segment_id == segment]
        assert revisions == sorted(set(revisions))


def test_a_dead_workers_late_words_are_not_heard() -> None:
    shared = arena(slots=1)
    slots, ownership = Slots(shared), Ownership(shared)
    slot = slots.hold("s", Hold.RESULTS)
    LogWriter(shared, slots).open(opened())
    ownership.assign(slot, 0)
    reader = ResultsReader(shared, slot, shared.generation(slot))
    before = ResultsWriter(shared, 0)
    before.publish(SpeechStarted("s", 0, 1))
    ownership.reclaim(0)
    ownership.assign(slot, 1)
    before.publish(final(0, 1))
    LogReader(shared, 0).commit("s", checkpoint(100))
    assert reader.new() == [SpeechStarted("s", 0, 1)]
    assert shared.checkpoint.read(slot, shared.generation(slot)) is None


def test_an_entry_that_changes_is_never_a_mixture() -> None:
    shared = arena(slots=1)
    at_once(SharedSessionDirectory(shared, Slots(shared)).put(entry()))
    changed = replace(entry(), state=Attachment.DETACHED)
    for part in (0.0, 0.3, 0.9):
        dying = doomed(shared, 0, part)
        until_killed(lambda dying=dying: at_once(SharedSessionDirectory(dying, Slots(dying)).put(changed)))  # type: ignore[misc]
        assert at_once(SharedSessionDirectory(shared, Slots(shared)).get("s")) == entry()
