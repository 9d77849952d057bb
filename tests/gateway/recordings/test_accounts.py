"""What recordings cost their tenants, of whose seconds of audio there are only so many."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from auth.test_keys import add
from contracts.job_store_contract import job
from gateway.gateway_harness import run
from gateway.recordings.desk_harness import desked, wav
from gateway.recordings.test_tenants import bearer, hand_in
from gateway.test_access import limited
from starling.auth.tenants import Tenant
from starling.core.errors import QuotaExceeded
from starling.core.jobs import DAY, Charge, JobError
from starling.gateway.options import GatewayOptions
from starling.gateway.quotas import Quotas
from starling.gateway.recordings.accounts import Accounts
from starling.jobs.memory import MemoryJobStore


def test_what_was_not_transcribed_is_not_counted(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key, _ = add(keys, tenant="acme")
    limited(keys, Tenant(name="acme", audio_seconds_per_day=9.5))

    async def scenario() -> None:
        async with desked(tmp_path / "kept", gateway=GatewayOptions(port=0, keys_file=keys), idle=True) as it:
            first, second = [(await hand_in(it, key)).json()["task_id"] for _ in range(2)]
            assert (await hand_in(it, key)).status_code == 429
            claim = await it.store.claim("w", now=time.time(), lease=1e9)
            assert claim is not None
            assert claim.job.job_id == first
            await it.store.heartbeat(claim, done=1.0, now=time.time(), lease=1e9)
            error = JobError(code="corrupt_audio", message="it is damaged", final=True)
            await it.store.fail(claim, error, now=time.time(), retry_at=None)
            assert (await hand_in(it, key)).status_code == 202  # 1 + 4 + 4
            assert (await hand_in(it, key)).status_code == 429
            assert (await it.client.delete(f"/api/v1/asr/task/{second}", headers=bearer(key))).status_code == 200
            assert (await it.client.post(f"/api/v1/asr/retry/{first}", headers=bearer(key))).status_code == 202  # 1 + 4 + 4
            assert (await hand_in(it, key)).status_code == 429

    run(scenario)


def test_a_recording_that_is_longer_than_what_is_left_of_the_day_is_refused(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key, _ = add(keys, tenant="acme")
    limited(keys, Tenant(name="acme", audio_seconds_per_day=6.0))

    async def scenario() -> None:
        async with desked(tmp_path / "kept", gateway=GatewayOptions(port=0, keys_file=keys), idle=True) as it:
            headers = {**bearer(key), "Idempotency-Key": "k"}
            files = {"audio": ("talk.wav", wav())}
            first = await it.client.post("/api/v1/asr/submit", files=files, headers=headers)
            assert first.status_code == 202
            refused = await hand_in(it, key)
            assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
            assert "lasts 4.0 s" in refused.json()["detail"]
            assert "2.0 s of audio left" in refused.json()["detail"]
            assert len(it.kept) == 1
            assert await it.store.spent("acme", day=int(time.time()) // DAY) == 4.0
            again = await it.client.post("/api/v1/asr/submit", files=files, headers=headers)  # the same one is no other one
            assert (again.status_code, again.json()["task_id"]) == (202, first.json()["task_id"])

    run(scenario)


def test_who_waits_for_a_text_is_told_that_its_quota_ended_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path) as it:
            it.scribe.error = JobError(code="quota_exceeded", message="tenant t has used its audio", final=True)
            form = {"model": "whisper-1"}
            answer = await it.client.post("/v1/audio/transcriptions", files={"file": ("a.wav", wav())}, data=form)
            assert answer.status_code == 429
            assert answer.json()["error"]["message"] == "tenant t has used its audio"

    run(scenario)


def test_another_gateway_counts_what_came_in_before_it_began(tmp_path: Path) -> None:
    store, quotas = MemoryJobStore(), Quotas(lambda: 0.0, lambda: 100_000.0)
    tenant = Tenant(name="t", audio_seconds_per_day=100.0)
    accounts = Accounts(store, quotas, lambda: 100_000.0)

    async def scenario() -> None:
        await store.submit(replace(job("a", duration=60.0), charge=Charge(60.0, 1)))
        await accounts.check(tenant)
        await store.submit(replace(job("b", duration=60.0), charge=Charge(60.0, 1)))
        with pytest.raises(QuotaExceeded):
            await accounts.check(tenant)
        await store.cancel("job-b", now=100_000.0)
        await accounts.look("t")
        quotas.check(tenant)

    asyncio.run(scenario())


def test_who_was_not_here_today_is_not_looked_after() -> None:
    wall = 100_000.0
    quotas = Quotas(lambda: 0.0, lambda: wall)
    quotas.learn_recorded("old", 1, 30.0)
    assert quotas.tenants == ["old"]
    wall += DAY
    assert quotas.tenants == []
    with quotas.session(Tenant(name="new")):
        assert quotas.tenants == ["new"]


def test_what_was_not_transcribed_is_given_back_to_the_minute() -> None:
    quotas = Quotas(lambda: 0.0, lambda: 100_000.0)
    tenant = Tenant(name="t", audio_seconds_per_minute=60.0)
    quotas.learn_recorded("t", 1, 30.0)  # before this gateway began: it owes nothing of that minute
    quotas.check_audio(tenant)
    quotas.learn_recorded("t", 1, 130.0)
    with pytest.raises(QuotaExceeded):
        quotas.check_audio(tenant)
    quotas.learn_recorded("t", 1, 35.0)
    quotas.check_audio(tenant)
    quotas.learn_recorded("t", 2, 1e6)  # not of today
    quotas.check_audio(tenant)
