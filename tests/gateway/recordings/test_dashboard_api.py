"""What the dashboard asks for besides jobs: who it is, figures over time, passes to recordings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from auth.test_keys import add
from gateway.gateway_harness import run
from gateway.recordings.desk_harness import Desked, desked, submitted, wav
from starling.gateway.options import GatewayOptions
from starling.gateway.recordings.playing import COOKIE

NOWHERE = "0" * 32


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def key(keys_file: Path, name: str, *, operator: bool = False) -> dict[str, str]:
    """A header with a new key of tenant ``name``."""
    token, _ = add(keys_file, tenant=name, operator=operator)
    return {"Authorization": f"Bearer {token}"}


def open_with(keys_file: Path) -> GatewayOptions:
    return GatewayOptions(port=0, keys_file=keys_file)


async def submit(it: Desked, headers: Mapping[str, str], name: str = "talk.wav") -> str:
    answer = await it.client.post("/api/v1/asr/submit", files={"audio": (name, wav())}, headers=dict(headers))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def test_without_keys_a_page_of_this_machine_sees_all(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            me = (await it.client.get("/api/v1/me")).json()
            assert (me["tenant"], me["operator"], me["keys"]) == ("default", True, False)
            assert me["max_bytes"] == it.desk.options.max_bytes
            away = await it.client.get("/api/v1/me", headers={"X-Forwarded-For": "192.0.2.7"})
            assert away.json()["operator"] is False
            page = await it.client.get("/dashboard")
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/html")
            assert "script-src 'self'" in page.headers["content-security-policy"]

    run(scenario)


def test_figures_over_time_are_for_operators(tmp_path: Path, keys_file: Path) -> None:
    async def scenario() -> None:
        boss, acme = key(keys_file, "boss", operator=True), key(keys_file, "acme")
        async with desked(tmp_path / "kept", gateway=open_with(keys_file), idle=True) as it:
            figures = it.served.gateway.figures
            assert figures is not None
            await submit(it, acme)
            await figures.keep()
            assert (await it.client.get("/api/v1/stats/series")).status_code == 401
            assert (await it.client.get("/api/v1/stats/series", headers=acme)).status_code == 403
            assert (await it.client.get("/api/v1/me", headers=acme)).json()["operator"] is False
            found = (await it.client.get("/api/v1/stats/series", headers=boss)).json()
            columns = found["columns"]
            assert (columns["queued"], columns["running"], columns["sessions"]) == ([1], [0], [0])
            assert columns["memory"][0] > 1 << 20
            later = await it.client.get("/api/v1/stats/series", headers=boss, params={"after": columns["at"][0]})
            assert later.json()["columns"]["at"] == []

    run(scenario)


def test_a_pass_opens_one_recording_and_nothing_else(tmp_path: Path, keys_file: Path) -> None:
    async def scenario() -> None:
        acme, other = key(keys_file, "acme"), key(keys_file, "other")
        async with desked(tmp_path / "kept", gateway=open_with(keys_file), idle=True) as it:
            task_id, second = await submit(it, acme), await submit(it, acme, "second.wav")
            path = f"/api/v1/asr/audio/{task_id}"
            assert (await it.client.post(f"{path}/pass", headers=other)).status_code == 404
            assert (await it.client.post(f"{path}/pass")).status_code == 401
            given = await it.client.post(f"{path}/pass", headers=acme)
            assert given.status_code == 204
            said = given.headers["set-cookie"].lower()
            assert f"path={path};" in f"{said};"
            assert "httponly" in said
            assert "samesite=strict" in said
            assert acme["Authorization"].split()[1] not in given.headers["set-cookie"]
            it.client.cookies.clear()
            shown = {"Cookie": given.headers["set-cookie"].partition(";")[0]}
            heard = await it.client.get(path, headers={**shown, "Range": "bytes=0-3"})
            assert (heard.status_code, heard.content) == (206, b"RIFF")
            for elsewhere in (f"/api/v1/asr/audio/{second}", f"/api/v1/asr/result/{task_id}", "/api/v1/asr/history"):
                assert (await it.client.get(elsewhere, headers=shown)).status_code == 401, elsewhere
            assert (await it.client.get(path, headers={"Cookie": f"{COOKIE}=forged"})).status_code == 401
            foreign = await it.client.get(path, headers={**shown, "Origin": "https://example.org"})
            assert foreign.status_code == 403

    run(scenario)


def test_where_no_keys_are_asked_for_no_pass_is_needed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            task_id = await submitted(it)
            given = await it.client.post(f"/api/v1/asr/audio/{task_id}/pass")
            assert given.status_code == 204
            assert "set-cookie" not in given.headers
            assert (await it.client.get(f"/api/v1/asr/audio/{task_id}", headers={"Cookie": f"{COOKIE}=x"})).status_code == 200

    run(scenario)


def test_a_job_is_cancelled_and_stays_in_the_history(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            task_id = await submitted(it)
            stopped = await it.client.post(f"/api/v1/asr/cancel/{task_id}")
            assert (stopped.status_code, stopped.json()["status"]) == (200, "cancelled")
            again = await it.client.post(f"/api/v1/asr/cancel/{task_id}")
            assert (again.status_code, again.json()["code"]) == (409, "conflict")
            assert (await it.client.post(f"/api/v1/asr/cancel/{NOWHERE}")).status_code == 404
            history = (await it.client.get("/api/v1/asr/history")).json()
            assert [one["status"] for one in history["tasks"]] == ["cancelled"]
            retried = await it.client.post(f"/api/v1/asr/retry/{task_id}")
            assert (retried.status_code, retried.json()["status"]) == (202, "queued")

    run(scenario)
