"""What counts of a session that several gateways wrote to."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.kafka.rig import OneProcessKafkaLog, OnKafka
from bus.redis.rig import PARTITIONS
from contracts.audio_log_contract import LEAD, audio, checkpoint, fill, following, opened, plain, replayed
from starling.bus.entries import pack_entry
from starling.bus.kafka.audio_log import KafkaGatewayAudioLog
from starling.bus.kafka.stamps import Succession, mark, stamped
from starling.bus.kafka.tail import last_of
from starling.bus.partitions import partition_of
from starling.core.errors import SessionGone
from starling.core.records import Ended, Finalize, Opened, Record, Tail
from virtual_time import settle

PLACE = partition_of("s", PARTITIONS)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5)), max_size=30))
def test_what_counts_never_goes_back(written: list[tuple[int, int]]) -> None:
    succession = Succession(1)
    taken = [one for one in written if succession.takes(*one)]
    assert [epoch for epoch, _ in taken] == sorted(epoch for epoch, _ in taken)
    assert [number for _, number in taken] == sorted({number for _, number in taken})


def test_the_last_record_that_counts_is_the_tail() -> None:
    late = stamped(1, 3, pack_entry(audio(200, 300, 2), 300))
    values = [
        stamped(1, 0, pack_entry(opened(), 0)),
        stamped(1, 1, pack_entry(replace(audio(0, 100, 0), received=7), 100)),
        mark(2),
        late,
        stamped(2, 2, pack_entry(Ended("s", 1, received=8), 100)),
        stamped(2, 2, pack_entry(Ended("s", 1, received=8), 100)),
    ]

    def tail(upto: int, first: int = 1, epoch: int = 3) -> Tail | None:
        found = last_of("s", values[:upto], first, epoch)
        return None if found is None else found.tail

    assert tail(0) is None
    assert tail(1) == Tail(position=0, sequence=-1, received=0)
    assert tail(2) == tail(3) == tail(4) == Tail(position=100, sequence=0, received=7)
    assert tail(6) == Tail(position=100, sequence=1, received=8, ended=True)
    assert tail(3, first=2) is None, "it was opened before"
    assert tail(3, epoch=1) is None, "another gateway came later"


class TestTakeover(OnKafka):
    def make(self) -> OneProcessKafkaLog:
        log = self.kafka_log(LEAD)
        assert isinstance(log, OneProcessKafkaLog)
        return log

    def other(self, log: OneProcessKafkaLog, name: str = "other") -> KafkaGatewayAudioLog:
        link = self.link(self.links[0].prefix)
        inbox = self.inbox(link, name)
        gateway = KafkaGatewayAudioLog(link, inbox, log.options, log.writer, max_lead=LEAD)
        self.listen(inbox)
        return gateway

    def test_a_gateway_goes_on_where_another_one_stopped_and_nobody_hears_that_one(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await fill(log, [opened(), replace(audio(0, 100, 0), received=200), Finalize("s", 1, received=200)])
            other = self.other(log)
            async with following(log) as follower:
                assert await other.tail("s") == Tail(position=100, sequence=1, received=200)
                zombie = stamped(1, 3, pack_entry(audio(100, 150, 2), 150))
                await log.writer.send(PLACE, "s", zombie)
                await other.append(audio(100, 200, 2))
                await log.writer.send(PLACE, "s", zombie)
                await other.append(Ended("s", 3))
                await settle()
                with pytest.raises(SessionGone):
                    await log.append(audio(100, 200, 2))
            sent: list[Record] = [
                replace(audio(0, 100, 0), received=200),
                Finalize("s", 1, received=200),
                audio(100, 200, 2),
                Ended("s", 3),
            ]
            wanted: list[Record] = [opened(), *sent]
            assert follower.of("s") == [plain(record) for record in wanted]
            assert [plain(record) for record in await replayed(log)] == follower.of("s")

        self.run(scenario())

    def test_a_successor_that_reads_from_a_commit_hears_no_zombie_either(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await fill(log, [opened(), audio(0, 100, 0)])
            other = self.other(log)
            async with following(log):
                await other.tail("s")
                await settle()
                await log.commit("s", checkpoint(100))
                await log.writer.send(PLACE, "s", stamped(1, 2, pack_entry(audio(100, 150, 1), 150)))
                await settle()
            assert [record for record in await replayed(log) if not isinstance(record, Opened)] == []
            await other.append(audio(100, 300, 1))
            async with following(log) as follower:
                assert [plain(record) for record in follower.records[1:]] == [plain(audio(100, 300, 1))]
                await log.commit("s", checkpoint(300))
            assert await self.other(log, "third").tail("s") == Tail(position=300, sequence=1, received=0)
            assert len(await replayed(log)) == 1

        self.run(scenario())

    def test_a_record_that_was_written_twice_counts_once(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await fill(log, [opened(), audio(0, 100, 0)])
            await log.writer.send(PLACE, "s", stamped(1, 1, pack_entry(audio(0, 100, 0), 100)))
            await log.append(Finalize("s", 1))
            await log.writer.send(PLACE, "s", stamped(1, 2, pack_entry(Finalize("s", 1), 100)))
            assert len(await replayed(log)) == 3

        self.run(scenario())

    def test_a_session_that_is_opened_anew_has_nothing_of_the_one_before(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await fill(log, [opened(), audio(0, 100, 0)])
            await log.gateway.forget("s")
            await fill(log, [opened(), audio(0, 50, 0)])
            assert [plain(record) for record in await replayed(log)] == [plain(opened()), plain(audio(0, 50, 0))]

        self.run(scenario())

    def test_who_waits_for_kafka_is_let_go_when_the_writer_is_closed(self) -> None:
        async def scenario() -> None:
            log = self.make()
            await log.append(opened())
            appending = asyncio.create_task(log.append(audio(0, 100, 0)))
            await asyncio.sleep(0)
            await log.writer.close()
            await asyncio.wait([appending])
            assert log.writer.under_way == 0

        self.run(scenario())
