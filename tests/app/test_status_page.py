"""The pages of a process that serves nobody else."""

from __future__ import annotations

import asyncio
import json

import pytest

from starling.app.status_page import LONGEST_REQUEST, MOST, StatusPage
from starling.core.errors import StarlingError
from starling.telemetry.health import Health, State
from starling.telemetry.metrics import Metrics


def page() -> tuple[StatusPage, Health]:
    health = Health("engine")
    return StatusPage(health, Metrics(), lambda: {"role": "recognizer"}), health


def parted(answer: bytes) -> tuple[int, bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return int(head.split(b" ")[1]), body


def test_it_says_whether_the_process_lives_and_is_ready() -> None:
    it, health = page()
    assert parted(it.answer(b"GET /readyz HTTP/1.1"))[0] == 503
    health.set("engine", State.OK)
    assert parted(it.answer(b"GET /readyz HTTP/1.1"))[0] == 200
    assert parted(it.answer(b"GET /healthz?x=1 HTTP/1.1")) == (200, b'{"live": true}')
    health.set("engine", State.FAILED, "broken")
    assert parted(it.answer(b"GET /healthz HTTP/1.1"))[0] == 503
    assert json.loads(parted(it.answer(b"GET /status HTTP/1.1"))[1]) == {"role": "recognizer"}
    assert b"starling_partitions_held" in parted(it.answer(b"GET /metrics HTTP/1.1"))[1]


@pytest.mark.parametrize(
    ("request_line", "status"), [(b"GET / HTTP/1.1", 404), (b"POST /status HTTP/1.1", 405), (b"", 405), (b"\xff\x00", 405)]
)
def test_whatever_else_is_asked_is_refused(request_line: bytes, status: int) -> None:
    assert parted(page()[0].answer(request_line))[0] == status


def test_it_answers_over_a_socket_and_bounds_what_it_takes() -> None:
    async def scenario() -> None:
        it, _ = page()
        async with it.listening("127.0.0.1", 0) as url:
            host, port = url.removeprefix("http://").rstrip("/").split(":")

            async def ask(request: bytes) -> bytes:
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(request)
                answer = await reader.read()
                writer.close()
                return answer

            assert parted(await ask(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 200
            idle = [await asyncio.open_connection(host, int(port)) for _ in range(MOST)]
            assert await ask(b"") == b"", "one too many"
            for _, writer in idle:
                writer.close()
            with pytest.raises(StarlingError, match="cannot listen"):
                async with it.listening(host, int(port)):
                    pass
        assert len(it.answer(b"x" * LONGEST_REQUEST)) < LONGEST_REQUEST

    asyncio.run(scenario())
