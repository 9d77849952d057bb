"""OpenAI's API, by what is said on the wire; its own client is in tests/protocols."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.gateway_harness import BRIEFLY, run, until
from gateway.recordings.desk_harness import Desked, desked, wav
from starling.core.jobs import Job, JobError, JobQuery, JobStatus, JobWarning
from starling.core.load import Priority
from starling.gateway.options import GatewayOptions
from starling.gateway.recordings.options import RecordingOptions
from starling.protocols.deepgram.dialect import DEEPGRAM
from starling.protocols.dialects import Spoken

PATH = "/v1/audio/transcriptions"


async def _queued(it: Desked) -> Sequence[Job]:
    """As soon as there is something."""
    for _ in range(100_000):
        jobs = (await it.store.history(JobQuery(tenant=None, statuses=(JobStatus.QUEUED,)))).jobs
        if jobs:
            return jobs
        await asyncio.sleep(0)
    raise AssertionError("nothing came")


async def ask(it: Desked, **fields: Any) -> httpx2.Response:
    return await send(it, wav(), **fields)


async def send(it: Desked, sound: bytes, **fields: Any) -> httpx2.Response:
    return await it.client.post(PATH, files={"file": ("upload", sound)}, data={"model": "whisper-1"} | fields)


def test_every_shape_of_an_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path) as it:
            answer = await ask(it)
            assert answer.json() == {"text": "Hello there. Second thing.", "usage": {"type": "duration", "seconds": 4}}
            assert (await ask(it, response_format="text")).text == "Hello there. Second thing.\n"
            assert (await ask(it, response_format="srt")).text.startswith("1\n00:00:00,000 --> ")
            vtt = await ask(it, response_format="vtt")
            assert vtt.text.startswith("WEBVTT")
            assert vtt.headers["content-type"] == "text/vtt; charset=utf-8"
            segments = (await ask(it, response_format="verbose_json")).json()
            assert (segments["task"], segments["language"], segments["duration"]) == ("transcribe", "english", 4.0)
            assert "words" not in segments
            assert set(segments["segments"][0]) == {
                *("id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob", "compression_ratio"),
                "no_speech_prob",
            }
            words = (await ask(it, response_format="verbose_json", **{"timestamp_granularities[]": "word"})).json()
            assert "segments" not in words
            assert words["words"][0] == {"word": "Hello", "start": 0.0, "end": 0.75}
            both = (await ask(it, response_format="verbose_json", **{"timestamp_granularities[]": ["word", "segment"]})).json()
            assert {"segments", "words"} <= set(both)
            jobs = (await it.store.history(JobQuery(tenant=None))).jobs
            assert {job.priority for job in jobs} == {Priority.HIGH}
            assert it.desk.waiting.taken == 0

    run(scenario)


def test_a_stream_says_it_as_it_comes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path) as it:
            answer = await ask(it, stream="true")
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
            assert lines[-1] == "[DONE]"
            events = [json.loads(line) for line in lines[:-1]]
            assert [event["type"] for event in events] == [*["transcript.text.delta"] * 2, "transcript.text.done"]
            assert "".join(event["delta"] for event in events[:-1]) == events[-1]["text"] == "Hello there. Second thing."
            it.scribe.error = JobError(code="corrupt_audio", message="it breaks off", final=True)
            broken = (await ask(it, stream="true")).text
            assert json.loads(broken.removeprefix("data: "))["error"]["message"] == "it breaks off"
            await until(lambda: it.desk.waiting.taken == 0)

    run(scenario)


def test_what_may_be_missing_is_said_in_every_shape(tmp_path: Path) -> None:
    cut = JobWarning(code="breaks_off", message="it breaks off at 4.0 s", at=4.0)
    gaps = JobWarning(code="gaps", message="pieces are damaged")
    said = [
        {"code": "breaks_off", "message": "it breaks off at 4.0 s", "at": 4.0},
        {"code": "gaps", "message": "pieces are damaged", "at": None},
    ]

    async def scenario() -> None:
        async with desked(tmp_path, gateway=GatewayOptions(port=0, protocols=(Spoken(DEEPGRAM, None),))) as it:
            it.scribe.warnings = (cut, gaps)
            for form in ("json", "verbose_json", "text", "srt", "vtt"):
                answer = await ask(it, response_format=form)
                assert answer.headers["starling-warnings"] == "breaks_off, gaps"
                assert "json" not in form or answer.json()["warnings"] == said
            last = (await ask(it, stream="true")).text.split("\n\n")[-3]
            assert json.loads(last.removeprefix("data: "))["warnings"] == said
            deepgrams = await it.client.post("/v1/listen", content=wav())
            assert deepgrams.headers["starling-warnings"] == "breaks_off, gaps"
            assert deepgrams.json()["metadata"]["warnings"] == said
            it.scribe.warnings = ()
            whole = await it.client.post("/v1/listen", content=wav())
            assert "starling-warnings" not in whole.headers
            assert "warnings" not in whole.json()["metadata"]

    run(scenario)


@pytest.mark.parametrize(
    ("fields", "status", "param", "says"),
    [
        ({"model": "gpt-9"}, 404, "model", "GET /v1/models"),
        ({"model": ""}, 400, "model", "whisper-1"),
        ({"response_format": "diarized_json"}, 400, "response_format", "speakers"),
        ({"response_format": "docx"}, 400, "response_format", "verbose_json"),
        ({"language": "xx"}, 400, "language", "en"),
        ({"temperature": "9"}, 400, "temperature", "0 to 1"),
        ({"temperature": "warm"}, 400, "temperature", "0 to 1"),
        ({"stream": "maybe"}, 400, "stream", "true"),
        ({"stream": "true", "response_format": "srt"}, 400, "stream", "json or text"),
        ({"timestamp_granularities[]": "word"}, 400, "timestamp_granularities", "verbose_json"),
        ({"timestamp_granularities[]": "letter", "response_format": "verbose_json"}, 400, "timestamp_granularities", "segment"),
        ({"include[]": "logprobs"}, 400, "include", "log probabilities"),
        ({"known_speaker_names[]": "me"}, 400, "known_speaker_names", "speakers"),
    ],
)
def test_what_is_refused_names_its_field(tmp_path: Path, fields: dict[str, str], status: int, param: str, says: str) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            answer = await ask(it, **fields)
            assert answer.status_code == status, answer.text
            error = answer.json()["error"]
            assert set(error) == {"message", "type", "param", "code"}
            assert (error["type"], error["param"]) == ("invalid_request_error", param)
            assert says in error["message"]
            assert not it.kept
            assert it.desk.waiting.taken == 0

    run(scenario)


@pytest.mark.parametrize(("sound", "status"), [(b"", 400), (b"nonsense", 400)])
def test_files_that_are_none(tmp_path: Path, sound: bytes, status: int) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            answer = await send(it, sound)
            assert (answer.status_code, answer.json()["error"]["type"]) == (status, "invalid_request_error")
            missing = await it.client.post(PATH, data={"model": "whisper-1"})
            assert missing.status_code == 400
            assert not it.kept

    run(scenario)


def test_models_and_translations(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            models = (await it.client.get("/v1/models")).json()
            assert (models["object"], [one["id"] for one in models["data"]]) == ("list", ["scripted", "whisper-1"])
            assert (await it.client.get("/v1/models/scripted")).json()["object"] == "model"
            missing = await it.client.get("/v1/models/gpt-9")
            assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")
            translated = await it.client.post("/v1/audio/translations", files={"file": ("a", wav())}, data={"model": "whisper-1"})
            assert translated.status_code == 403
            assert "transcriptions" in translated.json()["error"]["message"]
            unknown = await it.client.get("/v1/audio/nothing")
            assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "invalid_request_error")

    run(scenario)


def test_keywords_and_lists_of_terms_are_hot_words_and_prose_is_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path) as it:
            await ask(it, prompt="ZyntriQix, Digique Plus\nCynapse Five", **{"keywords[]": ["Zagreb", "Split"]})
            await ask(it, prompt="Hello, welcome to my lecture. Umm, let me think what I wanted to say.")
            second, first = (await it.store.history(JobQuery(tenant=None))).jobs
            said = [word.phrase for word in first.options.config.hotwords]
            assert said == ["Zagreb", "Split", "ZyntriQix", "Digique Plus", "Cynapse Five"]
            assert not second.options.config.hotwords

    run(scenario)


def test_a_client_that_leaves_takes_its_job_with_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            for stream in ("false", "true"):
                asking = asyncio.create_task(ask(it, stream=stream))
                jobs = await _queued(it)
                asking.cancel()
                await asyncio.wait([asking])
                async with it.store.changes(jobs[0].job_id) as changes:
                    async for _ in changes:
                        job = await it.store.get(jobs[0].job_id)
                        assert job is not None
                        if job.status is JobStatus.CANCELLED:
                            break
            await until(lambda: it.desk.waiting.taken == 0)

    run(scenario)


def test_who_waits_too_long_is_told_when_to_come_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True, options=RecordingOptions(wait_timeout=BRIEFLY, max_waiting=1)) as it:
            answer = await ask(it)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
            assert answer.json()["error"]["type"] == "server_error"
            job = (await it.store.history(JobQuery(tenant=None))).jobs[0]
            assert job.status is JobStatus.CANCELLED
            with it.desk.waiting.held("default"):
                full = await ask(it)
            assert (full.status_code, full.headers["retry-after"]) == (503, "2")

    run(scenario)


def test_who_waits_is_sent_away_when_the_server_drains(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            asking = asyncio.create_task(ask(it))
            await until(lambda: it.desk.waiting.taken == 1 and it.desk.uploads.taken == 0)
            it.desk.drain()
            answer = await asking
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "shutting_down")

    run(scenario)


def test_who_listens_is_sent_away_too_and_takes_the_job_along(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            asking = asyncio.create_task(ask(it, stream="true"))
            await until(lambda: it.desk.waiting.taken == 1 and it.desk.uploads.taken == 0)
            it.desk.drain()
            last = (await asking).text.rstrip().rpartition("data: ")[2]
            assert json.loads(last)["error"]["code"] == "shutting_down"
            [job] = (await it.store.history(JobQuery(tenant=None))).jobs
            assert job.status is JobStatus.CANCELLED

    run(scenario)


def test_deepgram_s_answers(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, gateway=GatewayOptions(port=0, protocols=(Spoken(DEEPGRAM, None),))) as it:
            query = {
                "multichannel": "true",
                "utterances": "true",
                "smart_format": "true",
                "paragraphs": "true",
                "keyterm": "Zagreb",
            }
            answer = await it.client.post("/v1/listen", params=query, content=wav(channels=2))
            assert answer.status_code == 200, answer.text
            found = answer.json()
            assert answer.headers["dg-request-id"] == found["metadata"]["request_id"]
            assert (found["metadata"]["channels"], found["metadata"]["duration"]) == (2, 4.0)
            assert len(found["results"]["channels"]) == 2
            best = found["results"]["channels"][1]["alternatives"][0]
            assert best["transcript"] == "Hello there. Second thing."
            assert best["words"][1] == {
                "word": "there",
                "start": 0.75,
                "end": 1.5,
                "confidence": 0.9,
                "punctuated_word": "there.",
            }
            assert [(one["channel"], one["transcript"]) for one in found["results"]["utterances"]] == [
                (0, "Hello there."),
                (1, "Hello there."),
                (0, "Second thing."),
                (1, "Second thing."),
            ]
            plain = (await it.client.post("/v1/listen", content=wav())).json()
            assert plain["results"]["channels"][0]["alternatives"][0]["transcript"] == "hello there second thing"
            for query, code in (({"diarize": "true"}, 400), ({"language": "xx"}, 400), ({"callback": "http://a.example/"}, 403)):
                refused = await it.client.post("/v1/listen", params=query, content=wav())
                assert (refused.status_code, "err_msg" in refused.json()) == (code, True)
            broken = await it.client.post("/v1/listen", content=b"nonsense")
            assert (broken.status_code, "dg-error" in broken.headers) == (400, True)
            nothing = await it.client.post("/v1/listen", content=b"[]", headers={"Content-Type": "application/json"})
            assert nothing.status_code == 400
            barred = await it.client.post("/v1/listen", json={"url": "http://127.0.0.1/"})
            assert barred.status_code == 403
            assert it.desk.waiting.taken == it.desk.uploads.taken == 0

    run(scenario)


def test_deepgram_s_client_who_finds_no_place_leaves_no_job(tmp_path: Path) -> None:
    async def scenario() -> None:
        gateway = GatewayOptions(port=0, protocols=(Spoken(DEEPGRAM, None),))
        async with desked(tmp_path, idle=True, gateway=gateway, options=RecordingOptions(max_waiting=1)) as it:
            with it.desk.waiting.held("default"):
                full = await it.client.post("/v1/listen", content=wav())
            assert (full.status_code, full.headers["retry-after"]) == (503, "2")
            assert (await it.store.history(JobQuery(tenant=None))).jobs == ()
            assert it.kept == []

    run(scenario)
