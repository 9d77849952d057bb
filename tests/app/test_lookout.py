"""How a transcriber is, as it tells at /status."""

from __future__ import annotations

import pytest

from starling.app.lookout import ENGINE, STORE, Lookout
from starling.core.errors import StoreUnavailable
from starling.core.jobs import QueueState
from starling.jobs.memory import MemoryJobStore
from starling.telemetry.health import Health, State
from starling.telemetry.metrics import Metrics
from transcriber.stand import job
from virtual_time import run


class Shaky(MemoryJobStore):
    """``trouble`` is raised to who asks how it is."""

    trouble: Exception | None = None

    async def state(self, *, tenant: str | None, now: float) -> QueueState:
        if self.trouble is not None:
            raise self.trouble
        return await super().state(tenant=tenant, now=now)


@pytest.mark.parametrize("trouble", [StoreUnavailable("it is away"), ConnectionResetError(), TimeoutError(), ValueError("a bug")])
def test_a_transcriber_tells_what_waits_and_whether_the_store_answers(trouble: Exception) -> None:
    async def scenario() -> None:
        store, health, metrics = Shaky(), Health(ENGINE, STORE), Metrics()
        lookout = Lookout(store, health, metrics, slots=3)
        health.set(ENGINE, State.OK)
        assert not health.ready
        assert lookout.status()["queue"] == {"limit_jobs": 3}
        await store.submit(job("a"))
        await store.submit(job("b"))
        await lookout.look()
        assert health.ready
        metrics.jobs_in_work.inc()
        metrics.job_attempts.labels(outcome="done").inc(5)
        metrics.job_attempts.labels(outcome="failed").inc(2)
        told = lookout.status()
        assert (told["role"], told["ready"], told["clients"], told["results"], told["errors"]) == ("transcriber", True, 1, 5, 2)
        assert (told["queue"]["depth_jobs"], told["queue"]["running_jobs"], told["queue"]["limit_jobs"]) == (2, 0, 3)
        assert {"instance", "version", "python", "uptime_seconds", "transcribers"} <= told.keys()
        store.trouble = trouble
        await lookout.look()
        assert not health.ready
        assert health.live, "it comes back by itself"
        assert "depth_jobs" not in lookout.status()["queue"], "nobody knows"
        store.trouble = None
        await lookout.look()
        assert health.ready

    run(scenario())
