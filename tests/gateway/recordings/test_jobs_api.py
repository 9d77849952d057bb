"""Jobs over HTTP."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from gateway.gateway_harness import run, until
from gateway.recordings.desk_harness import desked, finished, submitted, wav
from starling.core.errors import StoreFull, StoreUnavailable
from starling.core.jobs import Job, JobError
from starling.gateway.recordings.options import RecordingOptions
from starling.gateway.recordings.playing import asked

NOWHERE = "0" * 32


def test_a_recording_becomes_a_text(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            sound = wav()
            form = {"language": "en", "words": "true", "hotwords": ["Zagreb", '["Split", {"phrase": "Pula", "weight": 2}]']}
            answer = await it.client.post(
                "/api/v1/asr/submit", files={"audio": ("../../etc/my talk.wav", sound)}, data={**form, "formats": ["srt", "tsv"]}
            )
            assert answer.status_code == 202, answer.text
            task_id = answer.json()["task_id"]
            assert answer.json() == {"task_id": task_id, "status": "queued", "position": 0}
            assert answer.headers["location"] == f"/api/v1/asr/result/{task_id}"
            job = await it.store.get(task_id)
            assert job is not None
            assert [word.phrase for word in job.options.config.hotwords] == ["Zagreb", "Split", "Pula"]
            waiting = (await it.client.get(f"/api/v1/asr/result/{task_id}")).json()
            assert (waiting["status"], waiting["position"], waiting["result"], waiting["name"]) == (
                "queued",
                0,
                None,
                "my talk.wav",
            )
            early = await it.client.get(f"/api/v1/asr/result/{task_id}?format=srt")
            assert (early.status_code, early.json()["code"]) == (409, "conflict")
            it.scribe.working.set()
            done = await finished(it, task_id)
            assert (done["status"], done["progress"], done["duration"], done["error"]) == ("done", 1.0, 4.0, None)
            result = done["result"]
            assert isinstance(result, dict)
            assert result["text"] == "Hello there. Second thing."
            assert [(one["start"], one["end"], one["text"]) for one in result["segments"]] == [
                (0.0, 1.5, "Hello there."),
                (2.0, 3.5, "Second thing."),
            ]
            assert result["segments"][0]["words"][0] == {"word": "Hello", "start": 0.0, "end": 0.75, "confidence": 0.9}
            assert set(result["files"]) == {"srt", "tsv"}
            srt = await it.client.get(f"/api/v1/asr/result/{task_id}?format=srt")
            assert srt.text.startswith("1\n00:00:00,000 --> 00:00:01,500\nHello there.\n")
            assert srt.headers["content-disposition"] == "attachment; filename=\"my talk.srt\"; filename*=UTF-8''my%20talk.srt"
            assert (await it.client.get(f"/api/v1/asr/result/{task_id}?format=text")).text == "Hello there.\nSecond thing.\n"
            assert (await it.client.get(f"/api/v1/asr/result/{task_id}?format=vtt")).text.startswith("WEBVTT\n")
            tsv = await it.client.get(f"/api/v1/asr/result/{task_id}?format=tsv")
            assert tsv.text == "start\tend\ttext\n0\t1500\tHello there.\n2000\t3500\tSecond thing.\n"
            whole = await it.client.get(f"/api/v1/asr/audio/{task_id}")
            assert whole.content == sound
            assert it.served.count("starling_jobs_submitted_total") == 1

    run(scenario)


def test_a_recording_is_played_in_parts_and_as_nothing_but_a_recording(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            task_id, sound = await submitted(it), wav()
            path = f"/api/v1/asr/audio/{task_id}"
            part = await it.client.get(path, headers={"Range": "bytes=44-99"})
            assert (part.status_code, part.content) == (206, sound[44:100])
            assert part.headers["content-range"] == f"bytes 44-99/{len(sound)}"
            assert part.headers["content-length"] == "56"
            assert part.headers["content-disposition"].startswith('attachment; filename="talk.wav"')
            assert part.headers["x-content-type-options"] == "nosniff"
            assert part.headers["content-security-policy"] == "default-src 'none'; sandbox"
            assert part.headers["content-type"] == "audio/wav"
            about = await it.client.head(path, headers={"Range": "bytes=44-99"})
            assert (about.status_code, about.content) == (200, b"")
            assert about.headers["content-length"] == str(len(sound))
            assert (about.headers["accept-ranges"], about.headers["content-type"]) == ("bytes", "audio/wav")
            beyond = await it.client.get(path, headers={"Range": f"bytes={len(sound)}-"})
            assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(sound)}")
            assert beyond.headers["content-type"] == "application/problem+json"
            await it.store.cancel(task_id, now=1)
            await it.store.forget_audio(task_id)
            gone = await it.client.get(path)
            assert (gone.status_code, gone.json()["code"]) == (410, "recording_gone")
            again = await it.client.post(f"/api/v1/asr/retry/{task_id}")
            assert (again.status_code, again.json()["code"]) == (410, "recording_gone")

    run(scenario)


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, (0, 10)),
        ("bytes=0-3", (0, 4)),
        ("bytes=4-", (4, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=2-99", (2, 10)),
        ("bytes=10-", None),
        ("bytes=-0", None),
        ("bytes=5-2", (0, 10)),
        ("bytes=0-1,3-4", (0, 10)),
        ("bytes=-", (0, 10)),
        ("items=0-1", (0, 10)),
        ("bytes=" + "9" * 30 + "-", (0, 10)),
    ],
)
def test_ranges(header: str | None, span: tuple[int, int] | None) -> None:
    assert asked(header, 10) == span


def test_jobs_are_found_retried_and_deleted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path) as it:
            it.scribe.error = JobError(code="corrupt_audio", message="it is broken", final=True)
            first = await submitted(it)
            failed = await finished(it, first)
            assert failed["error"] == {"code": "corrupt_audio", "message": "it is broken", "retryable": False}
            it.scribe.error = None
            retried = await it.client.post(f"/api/v1/asr/retry/{first}")
            assert (retried.status_code, retried.json()["task_id"]) == (202, first)
            assert (await finished(it, first))["status"] == "done"
            again = await it.client.post(f"/api/v1/asr/retry/{first}")
            assert (again.status_code, again.json()["code"]) == (409, "conflict")
            ids = [first] + [await submitted(it) for _ in range(4)]
            for one in ids:
                await finished(it, one)
            pages = []
            cursor = ""
            while True:
                page = (
                    await it.client.get("/api/v1/asr/history", params={"limit": 2, "cursor": cursor, "status": "done"})
                ).json()
                pages.append([task["task_id"] for task in page["tasks"]])
                cursor = page["cursor"]
                if not cursor:
                    break
            assert [len(page) for page in pages] == [2, 2, 1]
            assert sorted(one for page in pages for one in page) == sorted(ids)
            nothing = await it.client.get("/api/v1/asr/history", params={"search": "nothing like it"})
            assert nothing.json() == {"tasks": [], "cursor": ""}
            wrong = await it.client.get("/api/v1/asr/history", params={"cursor": "?"})
            assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_option")
            queue = (await it.client.get("/api/v1/asr/queue/status")).json()
            assert (queue["done"], queue["queued"]) == (5, 0)
            assert len(it.kept) == 5
            deleted = await it.client.delete(f"/api/v1/asr/task/{first}")
            assert deleted.json() == {"task_id": first, "status": "done"}
            assert len(it.kept) == 4
            assert (await it.client.get(f"/api/v1/asr/result/{first}")).status_code == 404
            assert (await it.client.delete(f"/api/v1/asr/task/{first}")).status_code == 404

    run(scenario)


def test_deleting_a_job_cancels_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            task_id = await submitted(it)
            deleted = await it.client.delete(f"/api/v1/asr/task/{task_id}")
            assert deleted.json()["status"] == "cancelled"
            assert not it.kept
            assert (await it.store.state(tenant=None, now=1)).queued == 0

    run(scenario)


def test_the_same_key_gives_the_same_job(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:

            async def submit(sound: bytes) -> tuple[int, dict[str, str]]:
                answer = await it.client.post(
                    "/api/v1/asr/submit", files={"audio": ("a.wav", sound)}, headers={"Idempotency-Key": "one"}
                )
                return answer.status_code, answer.json()

            first = await submit(wav())
            assert await submit(wav()) == first
            status, problem = await submit(wav(2))
            assert (status, problem["code"]) == (409, "conflict")
            assert len(it.kept) == 1

    run(scenario)


def test_events_tell_a_job_as_it_goes_on_and_go_on_where_they_broke(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True, options=RecordingOptions(heartbeat=0.02)) as it:
            task_id = await submitted(it)
            async with it.client.stream("GET", f"/api/v1/asr/events/{task_id}") as stream:
                assert stream.headers["content-type"].startswith("text/event-stream")
                lines = stream.aiter_lines()
                seen = []
                async for line in lines:
                    seen.append(line)
                    if line.startswith(": still"):
                        it.scribe.working.set()
                said = "\n".join(seen)
            events = [block.split("\n") for block in said.split("\n\n") if block.startswith("event: ")]
            names = [block[0].removeprefix("event: ") for block in events]
            assert names[0] == "progress"
            assert names[-1] == "end"
            texts = [json.loads(block[2].removeprefix("data: "))["text"] for block in events if block[0] == "event: segment"]
            assert texts == ["Hello there.", "Second thing."]
            assert json.loads(events[-1][2].removeprefix("data: "))["status"] == "done"
            assert events[-1][1] == "id: 2"
            rest = (await it.client.get(f"/api/v1/asr/events/{task_id}", headers={"Last-Event-ID": "1"})).text
            assert rest.count("event: segment") == 1
            assert "Second thing." in rest
            desk = it.desk
            await until(lambda: not desk.streams.taken)

    run(scenario)


def test_each_state_of_a_job_is_told_once_and_progress_grows(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True, options=RecordingOptions(heartbeat=0.02)) as it:
            task_id = await submitted(it)
            claim = await it.store.claim("w", now=time.time(), lease=1e9)
            assert claim is not None
            told: list[float] = []
            pending = [1.0, 1.0, 0.5, 1.0, 2.5, 2.5]
            async with it.client.stream("GET", f"/api/v1/asr/events/{task_id}") as stream:
                async for line in stream.aiter_lines():
                    if line.startswith('data: {"task_id"'):
                        told.append(json.loads(line.removeprefix("data: "))["progress"])
                    if line.startswith(": still") and pending:  # everything before it was told
                        await it.store.heartbeat(claim, done=pending.pop(0), now=time.time(), lease=1e9)
                    elif line.startswith(": still"):
                        await it.store.finish(claim, now=time.time(), duration=4.0)
            assert told == [0.0, 0.25, 0.625, 1.0]

    run(scenario)


def test_a_listener_that_leaves_leaves_nothing_behind(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            task_id = await submitted(it)
            desk = it.desk
            async with it.client.stream("GET", f"/api/v1/asr/events/{task_id}") as stream:
                await anext(stream.aiter_bytes())
                assert desk.streams.taken == 1
            await until(lambda: not desk.streams.taken)

    run(scenario)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/api/v1/asr/result/{NOWHERE}", 404),
        ("GET", f"/api/v1/asr/audio/{NOWHERE}", 404),
        ("GET", f"/api/v1/asr/events/{NOWHERE}", 404),
        ("POST", f"/api/v1/asr/retry/{NOWHERE}", 404),
        ("DELETE", f"/api/v1/asr/task/{NOWHERE}", 404),
        ("GET", "/api/v1/asr/result/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/api/v1/asr/audio/..%5c..%5csecret", 422),
        ("GET", "/api/v1/asr/result/short", 422),
        ("GET", "/api/v1/asr/history?limit=0", 422),
        ("GET", "/api/v1/asr/history?name=a-filter-that-there-is-not", 400),
        ("GET", f"/api/v1/asr/result/{NOWHERE}?form=srt", 400),
        ("DELETE", f"/api/v1/asr/task/{NOWHERE}?dry_run=true", 400),
        ("GET", "/api/v1/nothing", 404),
        ("PUT", "/api/v1/asr/submit", 405),
    ],
)
def test_what_is_not_there_is_a_problem(tmp_path: Path, method: str, path: str, status: int) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            answer = await it.client.request(method, path)
            assert answer.status_code == status, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            problem = answer.json()
            assert set(problem) == {"type", "title", "status", "detail", "code", "retryable"}
            assert problem["status"] == status

    run(scenario)


def test_how_the_platform_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path) as it:
            await finished(it, await submitted(it))
            found = (await it.client.get("/api/v1/stats")).json()
            assert found["queue"]["done"] == 1
            assert found["memory"] > 1 << 20
            assert found["cores"] >= 1
            assert found["final_latency"] == {"p50": None, "p95": None, "p99": None}
            health = await it.client.get("/api/v1/health")
            assert (health.status_code, health.json()["status"]) == (200, "ok")
            await it.served.gateway.drain(1)
            health = await it.client.get("/api/v1/health")
            assert (health.status_code, health.json()["status"]) == (503, "draining")
            refused = await it.client.post("/api/v1/asr/submit", files={"audio": ("a.wav", wav())})
            assert (refused.status_code, refused.json()["code"]) == (503, "shutting_down")

    run(scenario)


def test_a_job_that_was_stored_without_an_answer_keeps_its_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            stores = it.store.submit

            async def stores_and_is_gone(job: Job, *, idempotency_key: str = "") -> Job:
                await stores(job, idempotency_key=idempotency_key)
                raise StoreUnavailable("no answer")

            async def is_gone(_: Job, *, idempotency_key: str = "") -> Job:
                raise StoreUnavailable(f"no answer to {idempotency_key}")

            files, key = {"audio": ("talk.wav", wav())}, {"Idempotency-Key": "one"}
            for submit, left in ((is_gone, 0), (stores_and_is_gone, 1)):
                monkeypatch.setattr(it.store, "submit", submit)
                assert (await it.client.post("/api/v1/asr/submit", files=files, headers=key)).status_code == 503
                assert len(it.kept) == left
            monkeypatch.setattr(it.store, "submit", stores)
            again = await it.client.post("/api/v1/asr/submit", files=files, headers=key)
            job = await it.store.get(again.json()["task_id"])
            assert job is not None
            assert [path.name for path in it.kept] == [job.recording.key.rpartition("/")[2]]

    run(scenario)


def test_a_recording_is_room_where_there_is_none_to_delete_its_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            task_id = await submitted(it)
            cancel = it.store.cancel

            async def full(job_id: str, *, now: float) -> Job | None:
                if it.kept:
                    raise StoreFull("the disk is full")
                return await cancel(job_id, now=now)

            monkeypatch.setattr(it.store, "cancel", full)
            assert (await it.client.delete(f"/api/v1/asr/task/{task_id}")).status_code == 200
            assert it.kept == []
            assert await it.store.get(task_id) is None

    run(scenario)
