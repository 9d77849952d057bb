"""One session is one connected trace, whichever processes had it: real servers, and a real collector that they tell."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chaos.platform_harness import CHUNK, Final, caption, platform
from chaos.roles_harness import Apart, apart
from chaos.test_processes_fail import BECKETT, scripted
from recordings import recording_path
from redis_server import RedisServer
from span_collector import Answer, SpanCollector, Told, roots
from starling.client import connect
from starling.client.conversation import converse
from starling.core.audio import SAMPLE_RATE, Samples
from starling.protocols.native.messages import Result, ServerMessage

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes share memory on Linux only")

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PAUSE = 1.0
"""Seconds of sound after a sentence: enough to know that it is over."""

PATIENCE = 120.0

HEADERS = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=a"}


def telling(collector: SpanCollector) -> dict[str, str]:
    return {"STARLING_TELEMETRY__OTLP_ENDPOINT": collector.url, "STARLING_TELEMETRY__OTLP_HEADERS": "x-api-key=s3cret"}


@pytest.fixture
def collector() -> Iterator[SpanCollector]:
    with SpanCollector() as it:
        yield it


async def until(collector: SpanCollector, true: Callable[[list[Told]], object]) -> list[Told]:
    return await asyncio.to_thread(collector.until, true)


async def interrupted(url: str, go_on: asyncio.Event) -> list[Final]:
    """The finals of a session that says a sentence, and what follows once it may."""
    messages: list[ServerMessage] = []
    pause = round((scripted(BECKETT)[0][3] + PAUSE) * SAMPLE_RATE) // CHUNK * CHUNK

    async def spoken() -> AsyncIterator[Samples]:
        for start in range(0, len(BECKETT), CHUNK):
            if start == pause:
                await go_on.wait()
            yield BECKETT[start : start + CHUNK]

    async with connect(url, headers=HEADERS) as session:
        await converse(session, spoken(), messages.append)
    return [(m.segment_id, m.text, m.start, m.end) for m in messages if isinstance(m, Result) and m.is_final]


def told_all(spans: Sequence[Told], finals: Sequence[Final]) -> bool:
    """Whether the session is over, and the last of its segments and the takeover are told."""
    last = finals[-1][0] in {told.attributes.get("starling.segment.id") for told in spans}
    return bool(last and of(spans, "session") and of(spans, "takeover"))


def of(spans: Sequence[Told], name: str) -> list[Told]:
    return [told for told in spans if told.name == name]


def check_tree(spans: Sequence[Told], finals: Sequence[Final], collector: SpanCollector) -> None:
    """All of the session's is one tree below what its caller said, and nobody can read there what it said."""
    mine = [told for told in spans if told.trace == TRACE]
    [session] = of(mine, "session")
    assert session.parent == CALLER
    assert roots(mine) == [session]
    assert {told.state for told in mine} == {"vendor=a"}
    assert {told.name for told in mine} <= {"session", "segment", "takeover"}
    segments = {told.attributes["starling.segment.id"]: told for told in of(mine, "segment")}
    assert segments.keys() <= {segment for segment, *_ in finals}
    for segment, text, start, _ in finals:
        if told := segments.get(segment):
            assert told.parent == session.span
            assert told.attributes["starling.word_count"] == len(text.split())
            assert told.attributes["starling.position_seconds"] == pytest.approx(start, abs=0.001)
            assert told.attributes["starling.session.id"] == session.attributes["starling.session.id"]
            assert session.start <= told.end
    for body in collector.bodies:
        for _, text, *_ in finals:
            assert text.encode() not in body
            words = text.split()
            assert not any(f"{one} {two}".encode() in body for one, two in pairwise(words))


def check_log(log: Sequence[str], session: Told, *, shown: bool) -> None:
    """Every line of the session has the ids of its trace, and of a span in it."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in log]
    mine = [line for line in lines if line.get("session_id") == session.attributes["starling.session.id"]]
    assert {line.get("trace_id") for line in mine} == {TRACE}
    assert all(len(line["span_id"]) == 16 for line in mine)
    assert session.span in {line["span_id"] for line in mine} or not shown
    assert "s3cret" not in "".join(log)


def test_a_session_is_one_tree_though_its_recognizer_is_killed(tmp_path: Path, collector: SpanCollector) -> None:
    async def scenario() -> None:
        async with platform(workers=2, directory=tmp_path, settings=telling(collector)) as server:
            go_on = asyncio.Event()
            talking = asyncio.create_task(interrupted(server.url, go_on))
            first = of(await until(collector, lambda spans: of(spans, "segment")), "segment")[0]
            os.kill(int(str(first.resource["process.pid"])), signal.SIGKILL)
            go_on.set()
            finals = await talking
            assert finals == scripted(BECKETT)
            spans = await until(collector, lambda spans: told_all(spans, finals))
            check_tree(spans, finals, collector)
            [session] = of(spans, "session")
            assert session.role == "gateway"
            assert session.attributes["starling.end_reason"] == "client"
            heirs = {it.resource["service.instance.id"] for it in of(spans, "takeover")}
            assert first.resource["service.instance.id"] not in heirs
            after = [it for it in of(spans, "segment") if it.attributes["starling.takeover"]]
            assert finals[-1][0] in {it.attributes["starling.segment.id"] for it in after}
            assert {it.resource["service.instance.id"] for it in after} <= heirs
        drains = of(await until(collector, lambda spans: of(spans, "drain")), "drain")
        assert [it.parent for it in drains] == [""]
        check_log(server.log, session, shown=True)

    asyncio.run(scenario())


async def tree_past_one_host(server: Apart, collector: SpanCollector) -> list[Told]:
    """The spans of a session whose recognizer is killed, where roles are apart; they are one tree, and the logs have its ids."""
    go_on = asyncio.Event()
    talking = asyncio.create_task(interrupted(server.url, go_on))
    first = of(await until(collector, lambda spans: of(spans, "segment")), "segment")[0]
    [victim] = [it for it in server.recognizers if str(it.process.pid) == first.resource["process.pid"]]
    await victim.end(signal.SIGKILL)
    go_on.set()
    finals = await talking
    assert finals == scripted(BECKETT)
    spans = await until(collector, lambda spans: told_all(spans, finals))
    check_tree(spans, finals, collector)
    [session] = of(spans, "session")
    assert session.role == "gateway"
    assert {it.role for it in of(spans, "segment")} == {"recognizer"}
    assert any(it.attributes["starling.takeover"] for it in of(spans, "segment"))
    for role in (*server.gateways, *server.recognizers):
        check_log(role.log, session, shown=role in server.gateways)
    return spans


def test_on_redis_it_is_one_tree_too(collector: SpanCollector) -> None:
    async def scenario() -> None:
        async with apart(redis, gateways=1, recognizers=2, settings=telling(collector)) as server:
            assert of(await tree_past_one_host(server, collector), "takeover")

    with RedisServer() as redis:
        asyncio.run(scenario())


async def heard(told: asyncio.Queue[dict[str, str]], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take one callback."""
    _, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    await reader.readexactly(int(headers["content-length"]))
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await told.put(headers)
    writer.close()


def test_a_job_is_one_tree_from_its_submission_to_its_callback(tmp_path: Path, collector: SpanCollector) -> None:
    settings = {
        "STARLING_JOBS__STORE": f"sqlite:{tmp_path}/jobs.db",
        "STARLING_JOBS__RECORDINGS": f"{tmp_path}/recordings",
        "STARLING_JOBS__LOG": "off",
        "STARLING_JOBS__WORKERS": "1",
        "STARLING_JOBS__ALLOW_URLS": "true",
        "STARLING_JOBS__CALLBACK_SECRET": "a secret of sixteen letters",
        "STARLING_JOBS__ALLOWED_NETWORKS": "127.0.0.0/8",
        "STARLING_JOBS__IDLE_ONLY": "false",
    }

    async def scenario() -> None:
        told: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        callbacks = await asyncio.start_server(partial(heard, told), "127.0.0.1", 0)
        async with (
            callbacks,
            platform(workers=1, directory=tmp_path, settings=telling(collector) | settings) as server,
            httpx2.AsyncClient(base_url=server.url, timeout=PATIENCE) as client,
        ):
            url = f"http://127.0.0.1:{callbacks.sockets[0].getsockname()[1]}/over"
            files = {"audio": ("a.wav", recording_path("beckett").read_bytes())}
            answer = await client.post("/api/v1/asr/submit", files=files, data={"callback": url}, headers=HEADERS)
            assert answer.status_code == 202, answer.text
            job_id = answer.json()["task_id"]
            async with asyncio.timeout(PATIENCE):
                headers = await told.get()
            spans = await until(collector, lambda spans: of(spans, "callback") and of(spans, "attempt"))
            mine = [it for it in spans if it.trace == TRACE]
            [submit], [attempt], [callback] = (of(mine, name) for name in ("submit", "attempt", "callback"))
            assert roots(mine) == [submit]
            assert submit.parent == CALLER
            assert {attempt.parent, callback.parent} == {submit.span}
            assert headers["traceparent"] == f"00-{TRACE}-{callback.span}-01"
            assert headers["tracestate"] == "vendor=a"
            assert {it.attributes["starling.job.id"] for it in mine} == {job_id}
            assert (attempt.role, attempt.attributes["starling.outcome"]) == ("transcriber", "done")
            assert attempt.attributes["starling.audio_seconds"] == pytest.approx(len(BECKETT) / SAMPLE_RATE, abs=0.1)
        lines = [json.loads(line) for line in server.log]
        mine_too = [line for line in lines if line.get("job_id") == job_id]
        assert {"job submitted", "job claimed", "job left", "callback"} <= {line["event"] for line in mine_too}
        assert {line["trace_id"] for line in mine_too} == {TRACE}

    asyncio.run(scenario())


def test_a_session_that_goes_on_at_another_gateway_is_told_once(collector: SpanCollector) -> None:
    async def scenario() -> None:
        async with apart(redis, gateways=2, recognizers=1, settings=telling(collector)) as server:
            go_on = asyncio.Event()
            talking = asyncio.create_task(interrupted(server.url, go_on))
            await until(collector, lambda spans: of(spans, "segment"))
            [hers] = [gateway for gateway in server.gateways if gateway.said("session opened")]
            [other] = [gateway for gateway in server.gateways if gateway is not hers]
            await hers.end(signal.SIGKILL)
            go_on.set()
            finals = await talking
            assert finals == scripted(BECKETT)
            spans = await until(collector, lambda spans: of(spans, "session"))
            spans = await until(collector, lambda spans: len(of(spans, "segment")) == len(finals))
            check_tree(spans, finals, collector)
            [session] = of(spans, "session")
            assert session.resource["process.pid"] == str(other.process.pid)
            assert session.attributes["starling.takeover"] is True
            assert {"adopted", "resumed"} <= set(session.events)
            assert session.start < min(told.start for told in of(spans, "segment")) + 1.0, "it began at the other gateway"

    with RedisServer() as redis:
        asyncio.run(scenario())


@pytest.mark.parametrize("bad", [Answer(status=500), Answer(raw=b"\x00garbage\r\n\r\n"), None], ids=["500", "garbage", "down"])
def test_a_collector_that_fails_disturbs_nobody(tmp_path: Path, bad: Answer | None) -> None:
    async def scenario(url: str) -> None:
        settings = {"STARLING_TELEMETRY__OTLP_ENDPOINT": url}
        async with platform(workers=1, directory=tmp_path, settings=settings) as server:
            assert await caption(server.url, BECKETT, speed=4, headers=HEADERS) == scripted(BECKETT)
            await server.until_logged("spans not exported")
        by_process = [json.loads(line)["process"] for line in server.log if '"spans not exported"' in line]
        assert len(by_process) == len(set(by_process)), "each process says so once"

    with SpanCollector(lambda _: bad or Answer()) as collector:
        port = collector.port
        if bad is not None:
            asyncio.run(scenario(collector.url))
    if bad is None:
        asyncio.run(scenario(f"http://127.0.0.1:{port}"))


def test_a_collector_that_cannot_be_stops_the_start(tmp_path: Path) -> None:
    async def scenario() -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "starling", "serve", "--port", "0",
            env=os.environ | {"STARLING_TELEMETRY__OTLP_ENDPOINT": "localhost:4317", "STARLING_ENGINE__NAME": "scripted"},
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        assert process.returncode not in {0, None}
        return said.decode()

    said = asyncio.run(scenario())
    assert "telemetry.otlp_endpoint: expected the URL of a collector" in said
    assert "Traceback" not in said
