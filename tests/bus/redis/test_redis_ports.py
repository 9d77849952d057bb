"""The contracts of all ports, on a real Redis."""

from __future__ import annotations

import pytest

from bus.redis.rig import OneProcessBoard, OnRedis, RedisLog, RedisResults, WatchedLink
from contracts.audio_log_contract import LEAD, AudioLogContract
from contracts.colleagues_contract import ColleaguesContract
from contracts.load_board_contract import LoadBoardContract
from contracts.notary_contract import NotaryContract
from contracts.result_bus_contract import ResultBusContract
from contracts.session_directory_contract import SessionDirectoryContract
from contracts.tally_contract import TallyContract
from patience import PATIENCE
from starling.bus.history import KEPT
from starling.bus.redis.colleagues import RedisColleagues
from starling.bus.redis.directory import RedisSessionDirectory
from starling.bus.redis.inbox import Inbox
from starling.bus.redis.link import Link, RedisOptions
from starling.bus.redis.notary import RedisNotary
from starling.bus.redis.tally import RedisTally
from starling.core.errors import StoreUnavailable


class TestRedisAudioLog(OnRedis, AudioLogContract):
    reads_meanwhile = True

    def make(self, max_lead: int = LEAD) -> RedisLog:
        return self.log(max_lead)


class TestRedisResultBus(OnRedis, ResultBusContract):
    most = 25

    def make(self, kept: int = KEPT) -> RedisResults:
        return self.results(kept)


class TestRedisSessionDirectory(OnRedis, SessionDirectoryContract):
    def make(self) -> RedisSessionDirectory:
        return RedisSessionDirectory(self.link(), "g")


class TestRedisLoadBoard(OnRedis, LoadBoardContract):
    def make(self) -> OneProcessBoard:
        return self.board()


class TestRedisTally(OnRedis, TallyContract):
    def make(self) -> tuple[RedisTally, RedisTally]:
        link = self.link()
        return RedisTally(link, "one"), RedisTally(link, "two")


class TestRedisNotary(OnRedis, NotaryContract):
    def make(self) -> tuple[RedisNotary, RedisNotary]:
        link = self.link()
        return RedisNotary(link), RedisNotary(self.link(link.prefix))

    def test_redis_that_lost_its_data_knows_nothing_that_was_signed_before(self) -> None:
        async def scenario() -> None:
            one, two = self.make()
            root = await one.root(b"a" * 32)
            assert await one.spend("n", 60, root)
            link = self.links[0]
            await link.command("DEL", *await link.command("KEYS", f"{link.prefix}*"))
            assert not await two.spend("n", 60, root), "it was used before"
            assert await two.root(b"b" * 32) == b"b" * 32

        self.run(scenario())

    def test_who_waits_at_the_door_is_told_that_redis_is_away(self) -> None:
        async def scenario() -> None:
            away = RedisNotary(Link(RedisOptions(url="unix:///nowhere/socket")))
            for ask in (away.root(b"a" * 32), away.spend("n", 60, b"a" * 32)):
                with pytest.raises(StoreUnavailable):
                    await ask

        self.run(scenario())


class TestRedisColleagues(OnRedis, ColleaguesContract):
    def make(self, *names: str) -> list[RedisColleagues]:
        prefix = self.link().prefix
        made = []
        for name in names:
            inbox = self.inbox(self.link(prefix), name)
            made.append(RedisColleagues(inbox._link, inbox))
            self.listen(inbox)
        return made

    async def introduce(self) -> None:
        for inbox in self.inboxes:
            await inbox.listening.wait()
            await RedisSessionDirectory(inbox._link, inbox.gateway).orphans(3600)

    def test_who_does_not_listen_is_not_waited_for(self) -> None:
        async def scenario() -> None:
            (one,) = self.make("one")
            await self.introduce()
            await RedisSessionDirectory(self.links[0], "dead").orphans(3600)
            assert await one.ask(b"?") == {"dead": None}

        self.run(scenario())

    def test_who_listens_and_does_not_answer_is_waited_for_for_a_while(self) -> None:
        async def scenario() -> None:
            one, _ = self.make("one", "two")
            await self.introduce()
            patiences = iter((PATIENCE, 0.01))  # with Redis, and with the other one

            class Hasty(WatchedLink):
                prompt = property(lambda _: next(patiences))

            one._link.__class__ = Hasty
            assert await one.ask(b"?") == {"two": None}

        self.run(scenario())

    def test_nobody_is_asked_while_redis_is_away(self) -> None:
        async def scenario() -> None:
            away = Link(RedisOptions(url="unix:///nowhere/socket"))
            with pytest.raises(StoreUnavailable):
                await RedisColleagues(away, Inbox(away, "g")).ask(b"?")

        self.run(scenario())
