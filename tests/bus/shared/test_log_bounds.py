"""What bounds the memory of a session on the log, whatever its client sends."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from bus.shared.rig import SharedLog, arena
from contracts.audio_log_contract import CONFIG, checkpoint, following, gap, opened, replayed
from contracts.session_directory_contract import entry
from starling.bus.shared.arena import Arena
from starling.bus.shared.directory import SharedSessionDirectory
from starling.bus.shared.layout import PIECE, RECORDS, Hold
from starling.bus.shared.log_reader import LogReader
from starling.bus.shared.log_writer import LogWriter
from starling.bus.shared.ownership import Ownership
from starling.bus.shared.slots import Slots
from starling.core.audio import SAMPLE_RATE, Samples
from starling.core.errors import InvalidMessage, InvalidOption, SessionGone
from starling.core.hotwords import MAX_BYTES, MAX_HOTWORDS, HotWord
from starling.core.records import Audio, Checkpoint, Configure, Ended, EndReason, Finalize, Gap, Opened
from virtual_time import at_once, run, settle

TINY = 2


def sound(start: int, end: int) -> Samples:
    return np.arange(start, end).astype(np.int16)


def audio(start: int, end: int, sequence: int = 0) -> Audio:
    return Audio("s", sequence, start, sound(start, end))


class Ends:
    """The two ends of a log, without an event loop."""

    def __init__(self, *, max_lead: int = 20 * SAMPLE_RATE, read: bool = True) -> None:
        self.arena = arena(slots=2, max_lead=max_lead)
        self.slots, self.ownership = Slots(self.arena), Ownership(self.arena)
        self.writer = LogWriter(self.arena, self.slots)
        self.reader = LogReader(self.arena, 0)
        self.writer.open(opened())
        self.ownership.assign(0, 0)
        self.read = read

    def samples(self, reader: LogReader) -> list[int]:
        return [sample for record in reader.take() if isinstance(record, Audio) for sample in record.samples.tolist()]


@pytest.mark.parametrize("live", [True, False], ids=["read as it comes", "replayed"])
def test_tiny_records_grow_together(*, live: bool) -> None:
    ends = Ends()
    count = RECORDS // 32
    heard = ends.samples(ends.reader)
    for number in range(count):
        assert ends.writer.offer(audio(TINY * number, TINY * (number + 1), number))
        if live and number % 7 == 0:
            heard += ends.samples(ends.reader)
    heard += ends.samples(ends.reader)
    assert heard == sound(0, TINY * count).tolist()
    assert ends.samples(LogReader(ends.arena, 0)) == heard


def test_what_has_grown_is_whole_after_a_checkpoint_in_it() -> None:
    ends = Ends()
    ends.arena.records.limit = 800
    for number in range(100):
        assert ends.writer.offer(audio(10 * number, 10 * (number + 1), number))
    ends.reader.take()
    ends.reader.commit("s", checkpoint(505))
    assert ends.writer.offer(gap(1000, 1100, 100))
    assert ends.writer.offer(audio(1100, 1110, 101))
    first, *rest = LogReader(ends.arena, 0).take()
    assert isinstance(first, Opened)
    assert first.checkpoint == checkpoint(505)
    assert isinstance(rest[0], Audio)
    assert rest[0].start <= 505
    end = rest[0].start
    for record in rest:
        assert isinstance(record, Audio | Gap)
        assert record.start == end
        end = record.end
    assert end == 1110


def test_a_flood_of_controls_between_tiny_records_is_refused() -> None:
    ends = Ends()

    def flood() -> None:
        for number in range(RECORDS):
            ends.writer.offer(Finalize("s", 2 * number))
            ends.writer.offer(audio(number, number + 1, 2 * number + 1))

    with pytest.raises(InvalidMessage, match="fewer"):
        flood()
    before = ends.writer.tail("s")
    ends.reader.commit("s", checkpoint(before.position))
    assert ends.writer.offer(audio(before.position, before.position + 5, before.sequence + 1))
    assert [r.end for r in LogReader(ends.arena, 0).take() if isinstance(r, Audio)] == [before.position + 5]


def test_options_have_a_length() -> None:
    ends = Ends()
    before = ends.writer.tail("s")
    with pytest.raises(InvalidOption, match="at most"):
        ends.writer.offer(Configure("s", 0, CONFIG.updated(language="x" * 130_000)))
    assert ends.writer.tail("s") == before


def test_the_longest_options_that_are_allowed_go_everywhere() -> None:
    words = tuple(
        HotWord(f"{number:04}" + "\U00010400" * ((MAX_BYTES // MAX_HOTWORDS - 4) // 4), 1.5) for number in range(MAX_HOTWORDS)
    )
    config = CONFIG.updated(hotwords=words)
    shared = arena(slots=1)
    slots = Slots(shared)
    writer, directory = LogWriter(shared, slots), SharedSessionDirectory(shared, slots)
    at_once(directory.put(replace(entry(), config=config)))
    writer.open(Opened("s", "trace", Checkpoint(config=config)))
    Ownership(shared).assign(0, 0)
    for number in range(3):
        assert writer.offer(Configure("s", 3 * number, config))
        assert writer.offer(Finalize("s", 3 * number + 1))
        assert writer.offer(audio(100 * number, 100 * number + 100, 3 * number + 2))
        reader = LogReader(shared, 0)
        assert Configure("s", 3 * number, config) in reader.take()
        reader.commit("s", Checkpoint(config=config, position=100 * number + 100))
    first, *_ = LogReader(shared, 0).take()
    assert first == Opened("s", "trace", Checkpoint(config=config, position=300))
    assert at_once(directory.get("s")) == replace(entry(), config=config)


def test_long_audio_goes_in_pieces_and_counts_once_it_is_all_in() -> None:
    async def scenario() -> None:
        log = SharedLog(arena(max_lead=8 * PIECE))
        await log.append(opened())
        whole = replace(audio(0, 3 * PIECE + 10), received=777)
        await log.append(whole)
        async with following(log) as follower:
            pieces = [record for record in follower.records if isinstance(record, Audio)]
        assert [len(piece.samples) for piece in pieces] == [PIECE, PIECE, PIECE, 10]
        assert [piece.received for piece in pieces] == [0, 0, 0, 777]
        assert np.array_equal(np.concatenate([piece.samples for piece in pieces]), whole.samples)

    run(scenario())


def test_audio_is_right_through_many_rounds_of_the_ring_and_takes_no_more_memory() -> None:
    ends = Ends(max_lead=6 * SAMPLE_RATE)
    chunk, count = 1000, 1200
    most = 0
    for number in range(count):
        start = chunk * number
        assert ends.writer.offer(audio(start, start + chunk, number))
        for record in ends.reader.take():
            if isinstance(record, Audio):
                assert np.array_equal(record.samples, sound(record.start, record.end))
        if number % 16 == 15:
            ends.reader.commit("s", checkpoint(start - SAMPLE_RATE))
        most = max(most, os.fstat(ends.arena.fd).st_blocks * 512)
    replay = [r for r in LogReader(ends.arena, 0).take() if isinstance(r, Audio)]
    assert replay[-1].end == chunk * count
    assert all(np.array_equal(r.samples, sound(r.start, r.end)) for r in replay)
    assert most < 2**20, "the audio of a long session is given back as it is recognized"


def test_a_gap_of_an_hour_takes_no_memory_and_waits_for_its_checkpoint() -> None:
    ends = Ends(max_lead=SAMPLE_RATE)
    hour = 3600 * SAMPLE_RATE
    assert ends.writer.offer(audio(0, 100, 0))
    assert ends.writer.offer(gap(100, hour, 1))
    assert not ends.writer.offer(audio(hour, hour + 100, 2))
    ends.reader.commit("s", checkpoint(hour))
    assert ends.writer.offer(audio(hour, hour + 100, 2))
    assert [r.end for r in LogReader(ends.arena, 0).take() if isinstance(r, Audio | Gap)] == [hour + 100]


def test_a_session_that_the_gateway_forgets_ends_at_its_worker() -> None:
    ends = Ends()
    assert ends.reader.take()[0] == opened()
    ends.writer.forget("s")
    assert ends.reader.take() == [Ended("s", 0, EndReason.ERROR)]
    assert ends.reader.take() == []
    ends.slots.collect()
    assert ends.arena.holds(0) == Hold(0)
    with pytest.raises(SessionGone):
        ends.writer.tail("s")


def test_sessions_that_are_over_make_room_for_others() -> None:
    ends = Ends()
    known = len(Hold._value2member_map_)
    for number in range(200):
        ends.reader.take()
        ends.reader.forget("s" if number == 0 else f"s{number - 1}")
        ends.writer.open(Opened(f"s{number}", "trace", Checkpoint(config=CONFIG)))
        for slot in ends.ownership.waiting():
            ends.ownership.assign(slot, 0)
    assert len(ends.writer._logs) <= 2
    assert len(ends.reader._readings) <= 2
    assert len(Hold._value2member_map_) <= known + 2 ** len(Hold), "flags are made once each"


def test_a_gateway_that_comes_after_another_frees_what_is_over() -> None:
    async def scenario() -> None:
        log = SharedLog(arena(slots=1))
        await log.append(opened())
        other = SharedLog(Arena.attach(log.arena.fd))
        assert (await other.tail("s")).position == 0
        await log.recognizer.forget("s")
        await other.append(Opened("t", "trace", Checkpoint(config=CONFIG)))
        assert [type(record) for record in await replayed(other)] == [Opened]
        await log.close()
        await other.close()
        await settle()

    run(scenario())


def test_the_gateway_sees_who_has_a_session_and_how_much_is_staged_of_it() -> None:
    ends = Ends()
    assert ends.writer.staged("nobody") is None
    assert ends.writer.offer(audio(0, 700))
    ends.reader.take()
    assert ends.writer.staged("s") == (0, 700)
    ends.reader.commit("s", checkpoint(300, 0))
    assert ends.writer.staged("s") == (0, 400)
    ends.ownership.reclaim(0)
    assert ends.writer.staged("s") == (None, 400)
    ends.writer.forget("s")
    assert ends.writer.staged("s") is None
