"""Leases, epochs, and what becomes of writes by who has lost them."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.redis.rig import PARTITIONS, OnRedis, sessions_in
from contracts.audio_log_contract import audio, checkpoint, following, opened
from contracts.result_bus_contract import final
from starling.bus.partitions import share
from starling.bus.redis.audio_log import GatewayAudioLog
from starling.bus.redis.directory import RedisSessionDirectory
from starling.bus.redis.leases import Leases
from starling.bus.redis.link import Link
from starling.bus.redis.results import GatewayResultBus
from starling.bus.redis.sides import RecognizerSide
from starling.core.errors import SessionGone
from starling.core.records import Ended, Opened, Revoked
from virtual_time import settle


@given(st.integers(1, 64), st.sets(st.text(min_size=1, max_size=3), min_size=1, max_size=9))
def test_shares_add_up_and_differ_by_one_at_most(partitions: int, members: set[str]) -> None:
    shares = [share(partitions, members, member) for member in members]
    assert sum(shares) == partitions
    assert max(shares) - min(shares) <= 1
    assert share(partitions, members, "nobody at all") == 0


class TestTenure(OnRedis):
    def recognizer(self, name: str) -> RecognizerSide:
        return RecognizerSide.of(self.link(self.keys), name, lambda: 0.0)

    def gateway(self, name: str) -> tuple[GatewayAudioLog, GatewayResultBus]:
        link = self.link(self.keys)
        inbox = self.inbox(link, name)
        sides = GatewayAudioLog(link, inbox, max_lead=100_000), GatewayResultBus(link, inbox)
        self.listen(inbox)
        return sides

    @property
    def keys(self) -> str:
        return f"tenure {id(self)}:"

    async def dead(self, side: RecognizerSide) -> None:
        """As if its leases had expired, and nobody heard of it for long."""
        link = self.links[0]
        await link.command("ZREM", f"{self.keys}recognizers", side.tenure.member)
        for partition in side.tenure.held:
            await link.command("DEL", f"{self.keys}lease:{partition}")

    def test_partitions_are_shared_and_given_back(self) -> None:
        async def scenario() -> None:
            a, b = self.recognizer("a"), self.recognizer("b")
            await a.tenure.beat()
            assert sorted(a.tenure.held) == list(range(PARTITIONS))
            await b.tenure.beat()
            assert not b.tenure.held, "all are leased"
            await a.tenure.beat()
            await b.tenure.beat()
            assert (len(a.tenure.held), len(b.tenure.held)) == (2, 1)
            assert sorted({*a.tenure.held, *b.tenure.held}) == list(range(PARTITIONS))
            leases = Leases(self.links[0])
            assert leases.holder("anybody") is None
            await leases.look()
            for side in (a, b):
                names = {leases.holder(session_id) for partition in side.tenure.held for session_id in sessions_in(partition, 3)}
                assert names == {side.tenure.member}
            leaving = asyncio.create_task(b.tenure.run())
            await settle()
            leaving.cancel()
            await asyncio.wait([leaving])
            await a.tenure.beat()
            assert len(a.tenure.held) == PARTITIONS

        self.run(scenario())

    def test_a_zombie_finds_itself_fenced_and_drops_its_sessions(self) -> None:
        async def scenario() -> None:
            zombie, heir = self.recognizer("zombie"), self.recognizer("heir")
            log, results = self.gateway("g")
            await settle()
            await zombie.tenure.beat()
            subscription = await results.subscribe("s")
            async with following(zombie.audio_log) as first:
                await log.append(opened())
                await log.append(audio(0, 100))
                await settle()
                assert [type(record) for record in first.records] == [Opened, type(audio(0, 1))]
                await zombie.results.publish(final(0, 1))
                await zombie.audio_log.commit("s", checkpoint(50, 1))
                await self.dead(zombie)
                await heir.tenure.beat()
                assert len(heir.tenure.held) == PARTITIONS
                async with following(heir.audio_log) as second:
                    await zombie.results.publish(final(1, 1))
                    await zombie.audio_log.commit("s", checkpoint(100, 2))
                    await zombie.audio_log.forget("s")
                    await heir.results.publish(final(0, 1))
                    await heir.results.publish(final(1, 2))
                    await settle()
                    assert second.records[0] == Opened("s", "trace of s", checkpoint(50, 1))
                    assert first.records[-1] == Revoked("s")
                    assert subscription.backlog == 2
            heard = aiter(subscription)
            assert [await anext(heard), await anext(heard)] == [final(0, 1), final(1, 2)]
            await zombie.tenure.beat()
            assert not zombie.tenure.held

        self.run(scenario())

    def test_a_lease_that_expired_and_was_not_taken_goes_on(self) -> None:
        async def scenario() -> None:
            one = self.recognizer("one")
            await one.tenure.beat()
            before = dict(one.tenure.held)
            await self.dead(one)
            await one.tenure.beat()
            assert one.tenure.held == before

        self.run(scenario())

    def test_only_one_gateway_appends_to_a_session(self) -> None:
        async def scenario() -> None:
            (first, first_results), (second, second_results) = self.gateway("first"), self.gateway("second")
            await settle()
            before = await first_results.subscribe("s")
            await first.append(opened())
            await first.append(audio(0, 100))
            assert (await second.tail("s")).position == 100
            after = await second_results.subscribe("s", after=-1)
            await settle()
            with pytest.raises(SessionGone):
                await first.append(audio(100, 200))
            assert [event async for event in before] == []
            await second.append(audio(100, 200))
            assert after.backlog == 0

        self.run(scenario())

    def test_the_sessions_of_a_gateway_that_is_gone_are_found(self) -> None:
        async def scenario() -> None:
            log, _ = self.gateway("gone")
            await settle()
            await log.append(opened())
            link: Link = self.links[0]
            directory = RedisSessionDirectory(link, "other")
            await RedisSessionDirectory(link, "gone").orphans(100.0)
            assert list(await directory.orphans(100.0)) == []
            await link.command("ZADD", f"{self.keys}gateways", 1, "gone")
            assert list(await directory.orphans(100.0)) == ["s"]
            assert list(await directory.orphans(100.0)) == []

        self.run(scenario())

    def test_what_is_committed_is_trimmed(self) -> None:
        async def scenario() -> None:
            recognizer = self.recognizer("a")
            log, _ = self.gateway("g")
            await settle()
            await recognizer.tenure.beat()
            session_id, other = sessions_in(0, 2)
            async with following(recognizer.audio_log):
                await log.append(opened(session_id))
                for start in range(0, 30_000, 60):
                    await log.append(audio(start, start + 60, session_id=session_id))
                await settle()
                await recognizer.audio_log.commit(session_id, checkpoint(30_000))
                await asyncio.sleep(0.005)  # the log is trimmed by milliseconds
                await log.append(opened(other))
                await settle()
                await recognizer.audio_log.forget(other)
                assert await self.links[0].command("XLEN", f"{self.keys}log:0") <= 100
                assert recognizer.audio_log.lag() == 0

        self.run(scenario())

    def test_a_record_that_ends_the_session_at_once_was_taken(self) -> None:
        """The recognizer may have forgotten the session before the gateway hears that its record is on the log."""

        async def scenario() -> None:
            recognizer = self.recognizer("a")
            log, _ = self.gateway("g")
            await settle()
            await recognizer.tenure.beat()
            async with following(recognizer.audio_log):
                await log.append(opened())
                log._on_gone(b"nobody")
                ending = asyncio.create_task(log.append(Ended("s", 0)))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                log._on_gone(b"s")
                await ending
                with pytest.raises(SessionGone):
                    await log.append(Ended("s", 1))

        self.run(scenario())
