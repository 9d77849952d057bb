"""Redis in one process: a gateway's and a recognizer's ends together, on a real server and in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from itertools import count
from typing import Any

import pytest

from bus.one_process import OneProcessLog, OneProcessResults
from patience import PATIENCE
from redis_server import RedisServer
from starling.bus.history import KEPT
from starling.bus.partitions import partition_of
from starling.bus.redis.audio_log import GatewayAudioLog
from starling.bus.redis.follower import RecognizerAudioLog
from starling.bus.redis.inbox import Inbox
from starling.bus.redis.link import Link, RedisOptions
from starling.bus.redis.load_board import GatewayLoadBoard, RecognizerLoadBoard
from starling.bus.redis.results import GatewayResultBus, RecognizerResultBus
from starling.core.load import Load
from starling.core.ports import Subscription
from starling.redis.opening import ATTEMPT
from virtual_time import settling

PARTITIONS = 3

_NUMBERS = count()


class Unfenced:
    """For who may write for every session because nobody else does."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions

    def place(self, session_id: str) -> tuple[int, str]:
        return partition_of(session_id, self._partitions), ""

    def lost(self, partition: int) -> None:
        raise AssertionError(f"partition {partition} has no epoch to be refused by")


class Everything(Unfenced):
    """The tenure of the only recognizer."""

    def __init__(self) -> None:
        super().__init__(PARTITIONS)
        self.changed = asyncio.Event()
        self.held: Mapping[int, int] = dict.fromkeys(range(PARTITIONS), 0)


class WatchedLink(Link):
    """``busy``: commands that are under way, but for those that wait for something new, which are ``waiting``."""

    prompt = PATIENCE
    busy = 0
    waiting = 0

    async def patiently(self, attempt: Callable[[], Awaitable[Any]], limit: float = ATTEMPT) -> Any:
        self.busy += 1
        try:
            return await super().patiently(attempt, limit)
        finally:
            self.busy -= 1

    async def read(self, streams: dict[Any, Any], *, block: int, count: int) -> Sequence[Any]:
        self.busy -= bool(block)
        self.waiting += bool(block)
        try:
            return await super().read(streams, block=block, count=count)
        finally:
            self.busy += bool(block)
            self.waiting -= bool(block)


class OnRedis:
    """A test class whose scenarios run on Redis. What they make ends with them. ``most``: examples of a law."""

    most = 1_000_000

    @pytest.fixture(autouse=True)
    def _remember(self, redis_server: RedisServer) -> None:
        self.server = redis_server
        self.examples = 0
        self.links: list[WatchedLink] = []
        self.inboxes: list[Inbox] = []
        self.tasks: list[asyncio.Task[None]] = []

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        self.examples += 1
        if self.examples > self.most:  # the twins in memory see more of them
            scenario.close()
            return

        async def main() -> None:
            token = settling.set(self.settle)
            try:
                async with asyncio.timeout(PATIENCE):
                    await scenario
            finally:
                settling.reset(token)
                for task in self.tasks:
                    task.cancel()
                if self.tasks:
                    await asyncio.wait(self.tasks)
                for link in self.links:
                    await link.close()
                for kept in (self.links, self.inboxes, self.tasks):
                    kept.clear()

        asyncio.run(main())

    async def rest(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 1000)

    async def settle(self) -> None:
        """Until nobody has anything to do but to wait for something new."""
        for inbox in self.inboxes:
            await inbox.listening.wait()
        quiet = 0
        while quiet < 3:
            for link in self.links:
                await link.command("PING")  # what Redis had to say before has come by then
            for _ in range(10):
                await asyncio.sleep(0)
            quiet = quiet + 1 if await self._at_rest() else 0

    async def _at_rest(self) -> bool:
        """Whether nothing is under way, and who waits for something new has been heard by Redis, which may need a connection."""
        waiting = sum(link.waiting for link in self.links)
        if waiting and int((await self.links[0].command("INFO", "clients"))["blocked_clients"]) != waiting:
            return False
        return not any(link.busy for link in self.links)

    def link(self, prefix: str = "") -> WatchedLink:
        """A way to keys that nobody else has."""
        link = WatchedLink(
            RedisOptions(url=self.server.url, prefix=prefix or f"{next(_NUMBERS)}:", partitions=PARTITIONS, lease=60.0)
        )
        self.links.append(link)
        return link

    def inbox(self, link: Link, gateway: str = "g") -> Inbox:
        inbox = Inbox(link, gateway)
        self.inboxes.append(inbox)
        return inbox

    def listen(self, inbox: Inbox) -> None:
        """When all have said what they listen to."""
        self.tasks.append(asyncio.create_task(inbox.run(), name="inbox"))

    def log(self, max_lead: int) -> RedisLog:
        link = self.link()
        inbox = self.inbox(link)
        log = RedisLog(link, inbox, max_lead)
        self.listen(inbox)
        return log

    def results(self, kept: int = KEPT) -> RedisResults:
        link = self.link()
        inbox = self.inbox(link)
        results = RedisResults(link, inbox, kept)
        self.listen(inbox)
        return results

    def board(self) -> OneProcessBoard:
        link = self.link()
        inbox = self.inbox(link)
        board = OneProcessBoard(link, inbox)
        self.listen(inbox)
        return board


class RedisLog(OneProcessLog[GatewayAudioLog, RecognizerAudioLog]):
    """On Redis; fenced by nobody."""

    def __init__(self, link: Link, inbox: Inbox, max_lead: int) -> None:
        super().__init__(GatewayAudioLog(link, inbox, max_lead=max_lead), RecognizerAudioLog(link, Everything()))


class RedisResults(OneProcessResults):
    """On Redis; who subscribes hears all that is told."""

    def __init__(self, link: Link, inbox: Inbox, kept: int) -> None:
        super().__init__(GatewayResultBus(link, inbox), RecognizerResultBus(link, Unfenced(PARTITIONS), kept=kept))
        self._inbox = inbox

    async def subscribe(self, session_id: str, *, after: int | None = None) -> Subscription:
        await self._inbox.listening.wait()
        return await super().subscribe(session_id, after=after)


class OneProcessBoard:
    """A LoadBoard whose two ends share a process."""

    def __init__(self, link: Link, inbox: Inbox) -> None:
        self.gateway = GatewayLoadBoard(inbox, lambda: 0.0)
        self.recognizer = RecognizerLoadBoard(link)

    def post(self, worker_id: str, load: Load) -> None:
        self.recognizer.post(worker_id, load)

    def withdraw(self, worker_id: str) -> None:
        self.recognizer.withdraw(worker_id)

    def loads(self) -> Mapping[str, Load]:
        return self.gateway.loads()


def sessions_in(partition: int, number: int) -> list[str]:
    """Names of ``number`` sessions that are in ``partition``."""
    names = (f"s{index}" for index in count())
    found: list[str] = []
    while len(found) < number:
        if partition_of(name := next(names), PARTITIONS) == partition:
            found.append(name)
    return found
