from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from contracts.job_store_contract import NOW, JobStoreContract, claimed, job
from patience import PATIENCE
from redis_server import RedisServer
from starling.core.errors import InvalidOption, StoreUnavailable
from starling.core.job_store import JobStore
from starling.core.jobs import JobStatus
from starling.jobs.life import Observer, Step, Verb
from starling.jobs.options import StoreOptions
from starling.jobs.redis import store as store_module
from starling.jobs.redis.connection import Connection
from starling.jobs.redis.scripts import COMMIT, DONE, GROUP
from starling.jobs.redis.store import RedisJobStore

NUMBERS = count()


class TestRedisJobStore(JobStoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.server = redis_server

    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        asyncio.run(scenario)

    @asynccontextmanager
    async def opened(self, options: StoreOptions, observe: Observer | None) -> AsyncIterator[JobStore]:
        store = RedisJobStore(self.server.url, options, prefix=f"{next(NUMBERS)}:", observe=observe)
        try:
            yield store
        finally:
            await store.close()


def test_a_step_whose_answer_was_lost_is_taken_once(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        connection = Connection(redis_server.url, f"{next(NUMBERS)}:")
        steps = msgspec.msgpack.encode(((), (("HSET", "job:a", "record", "x"), ("RPUSH", "list", "y"))))
        for _ in range(2):
            assert await connection.script(COMMIT, "a", "stamp", steps) == DONE
        assert await connection.run("LRANGE", "list", 0, -1) == [b"y"]
        assert await connection.run("HGET", "job:a", "revision") == b"1"
        await connection.close()

    asyncio.run(scenario())


def test_a_redis_that_is_killed_and_started_again_has_every_job_and_its_watchers_hear(redis_server: RedisServer) -> None:
    async def scenario() -> None:
        with RedisServer() as server:
            store = RedisJobStore(server.url)
            await store.submit(job())
            async with asyncio.timeout(PATIENCE), store.changes("job-a") as changes:
                await anext(changes)
                await claimed(store)
                server.stop(signal.SIGKILL)
                server.start()
                found = await store.get("job-a")
                assert found is not None
                assert found.status is JobStatus.RUNNING
                await store.cancel("job-a", now=NOW)
                while (found := await store.get("job-a")) is None or found.status is not JobStatus.CANCELLED:
                    await anext(changes)
            await store.close()

    asyncio.run(scenario())


def test_a_redis_that_is_none_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starling.jobs.redis.connection.ATTEMPTS", 1)

    async def scenario() -> None:
        store = RedisJobStore(f"unix://{tmp_path}/nothing")
        for call in (
            store.submit(job()),
            store.claim("w", now=NOW, lease=1.0),
            store.get("a"),
            store.state(tenant=None, now=NOW),
        ):
            with pytest.raises(StoreUnavailable):
                await call
        await store.close()

    asyncio.run(scenario())
    with pytest.raises(InvalidOption, match="must look like"):
        RedisJobStore("http://user:password@example.org")


def test_workers_that_are_long_gone_are_forgotten(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        prefix = f"{next(NUMBERS)}:"
        store = RedisJobStore(redis_server.url, prefix=prefix)
        await store.purge()
        await store.submit(job("a"))
        await store.submit(job("b"))
        await claimed(store, worker="at work")
        await store.finish(await claimed(store, worker="done"), now=NOW, duration=1.0)
        client: Any = Redis.from_url(redis_server.url, decode_responses=True)
        for idle, left in ((store_module.FORGOTTEN, {"at work", "done"}), (-1.0, {"at work"})):
            monkeypatch.setattr(store_module, "FORGOTTEN", idle)
            await store.purge()
            assert {each["name"] for each in await client.xinfo_consumers(f"{prefix}running", GROUP)} == left
        await client.aclose()
        await store.close()

    asyncio.run(scenario())


def test_a_step_is_finished_and_told_though_nobody_waits_any_more(redis_server: RedisServer) -> None:
    steps: list[Step] = []

    async def scenario() -> None:
        store = RedisJobStore(redis_server.url, prefix=f"{next(NUMBERS)}:", observe=steps.append)
        await store.get("x")  # connected
        submitting = asyncio.create_task(store.submit(job()))
        while not store._changing.under_way:  # noqa: ASYNC110 - it is a number
            await asyncio.sleep(0)
        submitting.cancel()
        await asyncio.wait([submitting])
        await store.close()

    asyncio.run(scenario())
    assert [step.verb for step in steps] == [Verb.SUBMIT]
