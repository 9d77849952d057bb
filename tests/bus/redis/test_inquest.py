"""Who has strikes past one host is who has them on one host; and whose audio is deadly goes through two recognizers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from bus.redis.rig import PARTITIONS, OnRedis, sessions_in
from contracts.audio_log_contract import audio, checkpoint, following, opened
from starling.bus.following import STRIKES
from starling.bus.redis.audio_log import GatewayAudioLog
from starling.bus.redis.inquest import Banned, bury_gateway, bury_recognizer
from starling.bus.redis.sides import RecognizerSide
from starling.bus.shared.arena import key_of
from starling.core.records import Audio, Barred, Opened
from starling.supervisor.strikes import STRIKES as STRIKES_OF_ONE_HOST
from starling.supervisor.strikes import Strikes
from virtual_time import settle

NAMES = sessions_in(0, 2) + sessions_in(1, 2)

EVENTS: st.SearchStrategy[tuple[str, set[str]]] = st.one_of(
    st.tuples(st.just("crash"), st.sets(st.sampled_from(NAMES), max_size=2)),
    st.tuples(st.just("commit"), st.sets(st.sampled_from(NAMES), max_size=2)),
    st.tuples(st.sampled_from(["killed", "cut off"]), st.just(set[str]())),
)

_KEYS = count()


def keys(names: Sequence[str] | set[str]) -> set[int]:
    return {key_of(name) for name in names}


class TestInquest(OnRedis):
    def start(self) -> None:
        self.prefix = f"inquest {next(_KEYS)}:"
        self.members = count()

    def recognizer(self) -> RecognizerSide:
        return RecognizerSide.of(self.link(self.prefix), f"r{next(self.members)}", lambda: 0.0)

    async def gateway(self) -> GatewayAudioLog:
        link = self.link(self.prefix)
        inbox = self.inbox(link, "g")
        log = GatewayAudioLog(link, inbox, max_lead=1_000_000)
        self.listen(inbox)
        await settle()
        return log

    async def expired(self, side: RecognizerSide) -> None:
        """Its leases are over, and it does not know."""
        link = self.links[0]
        await link.command("ZREM", f"{self.prefix}recognizers", side.tenure.member)
        for partition in range(PARTITIONS):
            await link.command("DEL", f"{self.prefix}lease:{partition}")

    @settings(max_examples=30, deadline=None)
    @given(events=st.lists(EVENTS, max_size=10))
    def test_strikes_are_those_that_a_supervisor_would_give(self, events: Sequence[tuple[str, set[str]]]) -> None:
        async def scenario() -> None:
            self.start()
            log = await self.gateway()
            law: Strikes[str] = Strikes()
            commits = dict.fromkeys(NAMES, 0)
            out: set[str] = set()
            for name in NAMES:
                await log.append(opened(name))
                await log.append(audio(0, 1000, session_id=name))
            for what, whom in events:
                side = self.recognizer()
                await side.tenure.beat()
                assert len(side.tenure.held) == PARTITIONS
                async with following(side.audio_log) as follower:
                    barred = {record.session_id for record in follower.records if isinstance(record, Barred)}
                    assert barred == out & set(commits)
                    law.settle(commits)
                    assert side.audio_log.suspects == {name for name in law.suspects() if name not in out}
                    for name in sorted(whom - out) if what == "commit" else ():
                        commits[name] += 10
                        await side.audio_log.commit(name, checkpoint(commits[name]))
                        assert name not in side.audio_log.suspects
                    for name in barred:
                        await side.audio_log.forget(name)
                        del commits[name]
                    await settle()
                if what == "crash":
                    in_hand = {name for name in whom if name in commits}
                    out |= set(law.struck(sorted(in_hand), commits))
                    await bury_recognizer(self.links[0], side.tenure.member, keys(in_hand))
                    await bury_recognizer(self.links[0], side.tenure.member, keys(in_hand))  # the answer was lost
                elif what == "cut off":
                    await self.expired(side)
                else:
                    await bury_recognizer(self.links[0], side.tenure.member, ())

        assert STRIKES == STRIKES_OF_ONE_HOST
        self.run(scenario())

    def test_an_end_that_is_told_late_counts_unless_somebody_got_further(self) -> None:
        async def scenario() -> None:
            self.start()
            log = await self.gateway()
            stuck, further = NAMES[:2]
            for name in (stuck, further):
                await log.append(opened(name))
                await log.append(audio(0, 1000, session_id=name))
            dead = self.recognizer()
            await dead.tenure.beat()
            await self.expired(dead)
            heir = self.recognizer()
            await heir.tenure.beat()
            async with following(heir.audio_log):
                await settle()
                await heir.audio_log.commit(further, checkpoint(10))
                assert await bury_recognizer(self.links[0], dead.tenure.member, keys(NAMES)) == 1
                assert len(heir.tenure.held) == PARTITIONS
                await heir.tenure.beat()
                assert len(heir.tenure.held) == PARTITIONS, "what it leases is left to it"
            await bury_recognizer(self.links[0], heir.tenure.member, keys([stuck]))
            third = self.recognizer()
            await third.tenure.beat()
            async with following(third.audio_log) as follower:
                await settle()
                assert [record for record in follower.records if isinstance(record, Barred)] == [Barred(stuck)]
                kinds = [type(record) for record in follower.records if record.session_id == stuck]
                assert kinds[:2] == [Opened, Barred], "it is opened, so that its client can be told"
                assert Audio in [type(record) for record in follower.records if record.session_id == further]

        self.run(scenario())

    def test_what_was_given_back_is_nobodys_death(self) -> None:
        async def scenario() -> None:
            self.start()
            log = await self.gateway()
            await log.append(opened(NAMES[0]))
            one = self.recognizer()
            await one.tenure.beat()
            other = self.recognizer()
            await other.tenure.beat()
            await one.tenure.beat()  # gives up what is the other's share
            await other.tenure.beat()
            given = set(range(PARTITIONS)) - set(one.tenure.held)
            assert given == set(other.tenure.held)
            theirs = [name for partition in given for name in sessions_in(partition, 2)]
            for name in theirs:
                if name not in NAMES[:1]:
                    await log.append(opened(name))
            assert await bury_recognizer(self.links[0], one.tenure.member, keys(theirs)) == 0

        self.run(scenario())

    def test_a_network_is_out_after_two_gateways_and_free_again_later(self) -> None:
        async def scenario() -> None:
            self.start()
            link = self.link(self.prefix)
            banned = Banned(link)
            for gateway, out in (("a", 0), ("a", 0), ("b", 1)):  # the first is told twice
                assert await bury_gateway(link, gateway, keys(["network 192.0.2.7"])) == out
                await banned.look()
                assert ("network 192.0.2.7" in banned) == bool(out)
            assert await bury_gateway(link, "c", ()) == 0
            assert "network 192.0.2.8" not in banned
            await link.command("ZADD", f"{self.prefix}bans", 1, str(key_of("network 192.0.2.7")))
            await banned.look()
            assert "network 192.0.2.7" not in banned

        self.run(scenario())
