"""Who may see and do what with whose recordings."""

from __future__ import annotations

from pathlib import Path

import httpx2

from auth.test_keys import add
from gateway.gateway_harness import run
from gateway.recordings.desk_harness import Desked, desked, wav
from gateway.test_access import limited
from starling.auth.tenants import Feature, Tenant
from starling.core.jobs import JobQuery
from starling.core.load import Priority
from starling.gateway.options import GatewayOptions
from starling.protocols.deepgram.dialect import DEEPGRAM
from starling.protocols.dialects import Spoken

SUBMIT = "/api/v1/asr/submit"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def hand_in(it: Desked, key: str, **options: str) -> httpx2.Response:
    return await it.client.post(SUBMIT, files={"audio": ("a.wav", wav())}, data=options, headers=bearer(key))


def test_a_tenant_sees_its_own_jobs_and_an_operator_all(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    ours, _ = add(keys, tenant="acme")
    theirs, _ = add(keys, tenant="rivals")
    boss, _ = add(keys, tenant="house", operator=True)

    async def scenario() -> None:
        async with desked(tmp_path / "kept", gateway=GatewayOptions(port=0, keys_file=keys), idle=True) as it:
            task_id = (await hand_in(it, ours)).json()["task_id"]
            for method, path in (
                ("GET", f"/api/v1/asr/result/{task_id}"),
                ("GET", f"/api/v1/asr/audio/{task_id}"),
                ("GET", f"/api/v1/asr/events/{task_id}"),
                ("POST", f"/api/v1/asr/retry/{task_id}"),
                ("DELETE", f"/api/v1/asr/task/{task_id}"),
            ):
                nobody = await it.client.request(method, path)
                assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthenticated"), path
                assert nobody.headers["www-authenticate"] == "Bearer"
                other = await it.client.request(method, path, headers=bearer(theirs))
                assert (other.status_code, other.json()["code"]) == (404, "not_found"), path
            mine = await it.client.get(f"/api/v1/asr/result/{task_id}", headers=bearer(ours))
            assert (mine.status_code, mine.json()["tenant"]) == (200, "acme")
            for key, seen in ((ours, 1), (theirs, 0), (boss, 1)):
                history = (await it.client.get("/api/v1/asr/history", headers=bearer(key))).json()
                assert len(history["tasks"]) == seen
                queue = (await it.client.get("/api/v1/asr/queue/status", headers=bearer(key))).json()
                assert queue["queued"] == seen
            spying = await it.client.get("/api/v1/asr/history?tenant=acme", headers=bearer(theirs))
            assert (spying.status_code, spying.json()["code"]) == (403, "forbidden")
            looking = await it.client.get("/api/v1/asr/history?tenant=rivals", headers=bearer(boss))
            assert looking.json()["tasks"] == []
            assert (await it.client.get("/api/v1/stats", headers=bearer(ours))).status_code == 403
            assert (await it.client.get("/api/v1/stats", headers=bearer(boss))).status_code == 200
            assert (await it.client.delete(f"/api/v1/asr/task/{task_id}", headers=bearer(boss))).status_code == 200

    run(scenario)


def test_recordings_count_against_the_day_of_their_tenant(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key, _ = add(keys, tenant="acme")
    limited(keys, Tenant(name="acme", audio_seconds_per_day=9.0))

    async def scenario() -> None:
        async with desked(tmp_path / "kept", gateway=GatewayOptions(port=0, keys_file=keys), idle=True) as it:
            assert (await hand_in(it, key)).status_code == 202
            assert (await hand_in(it, key)).status_code == 202
            used_up = await hand_in(it, key)
            assert (used_up.status_code, used_up.json()["code"]) == (429, "quota_exceeded")
            assert int(used_up.headers["retry-after"]) > 0
            assert len(it.kept) == 2
            assert it.served.count("starling_jobs_refused_total", reason="quota") == 1

    run(scenario)


def test_who_comes_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, gateway=GatewayOptions(port=0, opens_per_minute=2), idle=True, still=True) as it:
            answers = [await hand_in(it, "any") for _ in range(3)]
            assert [answer.status_code for answer in answers] == [202, 202, 429]

    run(scenario)


def test_what_a_tenant_may_not_use_it_does_not_get(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key, _ = add(keys, tenant="acme")
    limited(keys, Tenant(name="acme", priority=Priority.LOW, features=(Feature.HOTWORDS,)))

    async def scenario() -> None:
        async with desked(tmp_path / "kept", gateway=GatewayOptions(port=0, keys_file=keys), idle=True) as it:
            task_id = (await hand_in(it, key, priority="high", words="true", hotwords="Zagreb")).json()["task_id"]
            job = await it.store.get(task_id)
            assert job is not None
            assert (job.priority, job.options.config.words) == (Priority.LOW, False)
            assert len(job.options.config.hotwords) == 1

    run(scenario)


def test_other_apis_ask_for_keys_in_their_own_way(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key, _ = add(keys, tenant="acme")

    async def scenario() -> None:
        gateway = GatewayOptions(port=0, keys_file=keys, protocols=(Spoken(DEEPGRAM, None),))
        async with desked(tmp_path / "kept", gateway=gateway) as it:
            nobody = await it.client.post("/v1/listen", content=wav())
            assert (nobody.status_code, nobody.json()["err_code"]) == (401, "INVALID_AUTH")
            token = await it.client.post("/v1/listen", content=wav(), headers={"Authorization": f"Token {key}"})
            assert token.status_code == 200, token.text
            nobody = await it.client.get("/v1/models")
            assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "invalid_api_key")
            assert (await it.client.get("/v1/models", headers=bearer(key))).status_code == 200
            job = (await it.store.history(JobQuery(tenant=None))).jobs[0]
            assert job.tenant == "acme"

    run(scenario)
