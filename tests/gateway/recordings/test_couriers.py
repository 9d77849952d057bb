"""Callbacks are told at least once, signed, by whoever is there, and keep nobody waiting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.gateway_harness import run, until
from gateway.recordings.desk_harness import Desked, desked, wav
from starling.core.jobs import JobStatus
from starling.core.tracing import Trace, trace_of
from starling.gateway.options import GatewayOptions
from starling.gateway.recordings.couriers import LONGEST, Couriers
from starling.gateway.recordings.egress import Egress
from starling.gateway.recordings.options import RecordingOptions, networks
from starling.gateway.recordings.signature import signature, verified
from starling.protocols.deepgram.dialect import DEEPGRAM
from starling.protocols.dialects import Spoken

SECRET = "a secret of sixteen"  # noqa: S105 - of these tests
LOOPBACK = RecordingOptions(allow_urls=True, allowed_networks=networks(("127.0.0.0/8",)), callback_timeout=5)


@dataclass
class Receiver:
    """``statuses``: of its next answers; then 200. An answer of 0 is none."""

    statuses: list[int] = field(default_factory=list)
    heard: asyncio.Queue[tuple[dict[str, str], bytes]] = field(default_factory=asyncio.Queue)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/told"

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:-2])}
        body = await reader.readexactly(int(headers["content-length"]))
        status = self.statuses.pop(0) if self.statuses else 200
        if status:
            writer.write(f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()
        self.heard.put_nowait((headers, body))


@asynccontextmanager
async def receiving(*statuses: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(statuses))
    server = await asyncio.start_server(receiver.take, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


async def submit(it: Desked, url: str, **options: str) -> str:
    data = {"callback": url, "callback_secret": SECRET, **options}
    answer = await it.client.post("/api/v1/asr/submit", files={"audio": ("a.wav", wav())}, data=data)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def test_a_callback_is_told_with_a_signature(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiving() as receiver, desked(tmp_path, options=LOOPBACK) as it:
            task_id = await submit(it, receiver.url)
            headers, body = await receiver.heard.get()
            said = json.loads(body)
            assert (said["event"], said["task_id"], said["status"]) == ("job.over", task_id, "done")
            assert said["result"]["text"] == "Hello there. Second thing."
            assert headers["starling-job"] == task_id
            job = await it.store.get(task_id)
            assert job is not None
            assert trace_of(headers) == Trace(trace_id=job.trace_id, parent_id=headers["traceparent"][36:52], sampled=False)
            at = int(headers["starling-signature"].partition(",")[0].removeprefix("t="))
            assert verified(SECRET, body, headers["starling-signature"], now=at)
            assert SECRET not in (await it.client.get(f"/api/v1/asr/result/{task_id}")).text

    run(scenario)


def test_signatures_hold_for_one_body_one_secret_and_some_minutes() -> None:
    signed = signature(SECRET, b"{}", 1000)
    assert verified(SECRET, b"{}", signed, now=1200)
    assert not verified(SECRET, b"{} ", signed, now=1200)
    assert not verified("another one of them", b"{}", signed, now=1200)
    assert not verified(SECRET, b"{}", signed, now=1400)
    assert not verified(SECRET, b"{}", signed.replace("t=1000", "t=1200"), now=1200)
    for header in ("", "t=,v1=", "nonsense", "t=x,v1=y", signed + "0"):
        assert not verified(SECRET, b"{}", header, now=1000)


def couriers(it: Desked, wall: float) -> Couriers:
    """Those of another gateway, at another time."""
    ports = it.served.gateway.ports.recordings
    assert ports is not None
    return Couriers(ports, it.served.gateway.ability, it.served.metrics, wall=lambda: wall)


def test_who_does_not_take_it_is_told_again_by_whoever_is_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiving(500, 0, 200) as receiver, desked(tmp_path, options=LOOPBACK) as it:
            assert it.served.gateway.couriers is not None
            await submit(it, receiver.url)
            await receiver.heard.get()
            await until(lambda: it.served.count("starling_callbacks_total", outcome="refused") >= 1)
            await it.client.get("/healthz")  # and settled
            later = 5e9
            for attempt, outcome in ((2, "failed"), (3, "told")):
                other = couriers(it, later)
                delivery = await other.next()
                assert delivery is not None
                assert delivery.attempt == attempt
                await other.deliver(delivery)
                assert it.served.count("starling_callbacks_total", outcome=outcome) == 1
                later += 2 * LONGEST
            assert await couriers(it, later).next() is None

    run(scenario)


def test_a_courier_that_ends_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiving() as receiver, desked(tmp_path, options=LOOPBACK, idle=True) as it:
            await submit(it, receiver.url)
            await it.store.cancel((await it.client.get("/api/v1/asr/history")).json()["tasks"][0]["task_id"], now=5e9)
            first = await couriers(it, 5e9).next()
            assert first is not None
            assert first.job.status is JobStatus.CANCELLED
            assert await couriers(it, 5e9 + 1).next() is None, "nobody else tells it meanwhile"
            again = await couriers(it, 5e9 + 1000).next()
            assert again is not None
            assert again.attempt == 2
            await couriers(it, 5e9 + 1000).deliver(again)
            await it.store.settle_delivery(first, told=False, now=5e9 + 1000, retry_at=6e9)
            assert await couriers(it, 7e9).next() is None, "an old claim changes nothing"
            _, body = await receiver.heard.get()
            assert json.loads(body)["status"] == "cancelled"

    run(scenario)


def test_a_callback_that_leads_inside_is_given_up_at_once(tmp_path: Path) -> None:
    """The name was public when the job was submitted, and is not any more."""

    async def inside(host: str, port: int) -> list[str]:
        return ["169.254.169.254"]

    async def scenario() -> None:
        options = RecordingOptions(allow_urls=True)
        async with desked(tmp_path, options=options, egress=Egress((), inside)) as it:
            await submit(it, "http://hooks.example/told")
            await until(lambda: it.served.count("starling_callbacks_total", outcome="given_up") >= 1)
            await it.client.get("/healthz")
            assert await couriers(it, 9e9).next() is None

    run(scenario)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "file:///etc/passwd", "http://u:p@example.org/", "nonsense"])
def test_callbacks_are_refused_where_they_are_not_allowed_or_no_urls(tmp_path: Path, url: str) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            data = {"callback": url, "callback_secret": SECRET}
            answer = await it.client.post("/api/v1/asr/submit", files={"audio": ("a.wav", wav())}, data=data)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
            assert not it.kept
        if not url.startswith("http://127"):
            async with desked(tmp_path, idle=True, options=RecordingOptions(allow_urls=True)) as it:
                answer = await it.client.post("/api/v1/asr/submit", files={"audio": ("a.wav", wav())}, data=data)
                assert (answer.status_code, answer.json()["code"]) == (400, "invalid_option")
                assert not it.kept

    run(scenario)


def test_a_callback_needs_a_secret(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True, options=LOOPBACK) as it:
            data = {"callback": "http://127.0.0.1:1/"}
            answer = await it.client.post("/api/v1/asr/submit", files={"audio": ("a.wav", wav())}, data=data)
            assert "callback_secret" in answer.json()["detail"]
            short = await it.client.post(
                "/api/v1/asr/submit", files={"audio": ("a.wav", wav())}, data={**data, "callback_secret": "short"}
            )
            assert short.status_code == 400
            assert "short" not in short.json()["detail"].replace("shorter", "")

    run(scenario)


def test_deepgram_s_callback_is_told_in_its_shape(tmp_path: Path) -> None:
    async def scenario() -> None:
        gateway = GatewayOptions(port=0, protocols=(Spoken(DEEPGRAM, None),))
        async with receiving() as receiver, desked(tmp_path, gateway=gateway, options=LOOPBACK) as it:
            answer = await it.client.post("/v1/listen", params={"callback": receiver.url, "punctuate": "true"}, content=wav())
            assert answer.status_code == 200, answer.text
            request_id = answer.json()["request_id"]
            _, body = await receiver.heard.get()
            said = json.loads(body)
            assert said["metadata"]["request_id"] == request_id
            assert said["results"]["channels"][0]["alternatives"][0]["transcript"] == "Hello there. Second thing."

    run(scenario)
