from __future__ import annotations

from itertools import count
from typing import Any

from hypothesis import settings
from hypothesis.stateful import invariant, run_state_machine_as_test
from redis import Redis

from jobs.job_machine import MACHINE_SETTINGS, JobMachine
from redis_server import RedisServer
from starling.core.job_store import JobStore
from starling.core.jobs import JobStatus
from starling.jobs.life import Observer
from starling.jobs.options import StoreOptions
from starling.jobs.redis.store import RedisJobStore

NUMBERS = count()


def test_the_laws_hold_on_redis(redis_server: RedisServer) -> None:
    class RedisMachine(JobMachine):
        def open_store(self, options: StoreOptions, observe: Observer) -> JobStore:
            self.prefix = f"laws{next(NUMBERS)}:"
            self.client: Any = Redis.from_url(redis_server.url, decode_responses=True)
            return RedisJobStore(redis_server.url, options, prefix=self.prefix, observe=observe)

        def close_store(self) -> None:
            self.client.close()

        @invariant()
        def who_runs_is_an_entry_of_its_worker(self) -> None:
            running = [job_id for job_id, status in self.statuses.items() if status is JobStatus.RUNNING]
            entries = self.client.xrange(f"{self.prefix}running")
            assert sorted(fields["job"] for _, fields in entries) == sorted(running)
            if entries:
                pending = self.client.xpending_range(f"{self.prefix}running", "transcribers", "-", "+", 1000)
                owners = {each["message_id"]: each["consumer"] for each in pending}
                workers = {job_id: self.client.hget(f"{self.prefix}job:{job_id}", "record") for job_id in running}
                assert owners.keys() == {entry for entry, _ in entries}
                assert all(f'"worker":"{owners[entry]}"' in workers[fields["job"]] for entry, fields in entries)

        @invariant()
        def nothing_is_left_of_who_is_gone(self) -> None:
            if not self.statuses:
                left = {key.removeprefix(self.prefix) for key in self.client.scan_iter(f"{self.prefix}*")}
                assert left <= {"turns", "turn", "running", "audio"}
                assert set(self.client.hvals(f"{self.prefix}audio")) <= {"0"}

    run_state_machine_as_test(RedisMachine, settings=settings(MACHINE_SETTINGS, max_examples=6))  # the others see more
