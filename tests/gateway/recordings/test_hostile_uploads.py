"""Uploads that want to do harm: refused with an answer, and nothing is left of them."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from gateway.gateway_harness import BRIEFLY, run, until
from gateway.recordings.desk_harness import Desked, desked, submitted, wav
from patience import PATIENCE
from starling.auth.keyfile import keys_path
from starling.gateway.options import GatewayOptions
from starling.gateway.recordings.egress import Egress
from starling.gateway.recordings.options import RecordingOptions, networks

SUBMIT = "/api/v1/asr/submit"
SMALL = RecordingOptions(max_bytes=200_000)


async def refused(it: Desked, status: int, code: str, answer: httpx2.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert not it.kept, "nothing is left"
    assert it.desk.uploads.taken == 0
    assert (await it.store.state(tenant=None, now=1)).queued == 0


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"", "multipart/form-data", 400, "invalid_message"),
        (b"", "multipart/form-data; boundary=x", 400, "invalid_message"),
        (b"--x\r\n" * 50, "multipart/form-data; boundary=x", 400, "invalid_message"),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 400, "invalid_option"),
        (b"anything", "text/plain", 415, "unsupported_audio"),
        (b"anything", "audio/wav", 415, "unsupported_audio"),
        (b"[1]", "application/json", 400, "invalid_message"),
        (b"{", "application/json", 400, "invalid_message"),
        (b"[" * 100_000, "application/json", 400, "invalid_message"),
        (b"{}", "application/json", 400, "invalid_option"),
        (b'{"url":"http://example.org/a.wav"}', "application/json", 403, "forbidden"),
        (b'{"url":5}', "application/json", 400, "invalid_option"),
        (b"x" * 300_000, "application/json", 413, "frame_too_large"),
    ],
)
def test_bodies_that_are_none(tmp_path: Path, content: bytes, kind: str, status: int, code: str) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            await refused(it, status, code, await it.client.post(SUBMIT, content=content, headers={"Content-Type": kind}))

    run(scenario)


@pytest.mark.parametrize(
    ("files", "data", "status", "code"),
    [
        ({"audio": ("a.wav", b"")}, {}, 400, "corrupt_audio"),
        ({"audio": ("a.wav", b"<html>no sound</html>")}, {}, 400, "corrupt_audio"),
        ({"file": ("a.wav", b"x")}, {}, 400, "invalid_message"),
        ({"audio": ("a.wav", wav())}, {"unknown": "1"}, 400, "invalid_option"),
        ({"audio": ("a.wav", wav())}, {"language": "xx"}, 400, "invalid_option"),
        ({"audio": ("a.wav", wav())}, {"model": "whisper-9"}, 400, "invalid_option"),
        ({"audio": ("a.wav", wav())}, {"priority": "mine"}, 400, "invalid_option"),
        ({"audio": ("a.wav", wav())}, {"language": ["en", "en"]}, 400, "invalid_option"),
        ({"audio": ("a.wav", wav())}, {"hotwords": ["x"] * 1001}, 400, "invalid_option"),
        ({"audio": ("a.wav", wav())}, {"formats": "docx"}, 400, "invalid_option"),
        ({"audio": ("a.wav", wav(20))}, {}, 413, "frame_too_large"),
        ({"audio": ("a.wav", wav())}, {"language": "x" * 70_000}, 413, "frame_too_large"),
        ({"audio": ("a.wav", wav())}, {"x" * 5000: "1"}, 400, "invalid_message"),
    ],
)
def test_forms_that_are_refused(
    tmp_path: Path, files: dict[str, tuple[str, bytes]], data: dict[str, str], status: int, code: str
) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True, options=SMALL) as it:
            await refused(it, status, code, await it.client.post(SUBMIT, files=files, data=data))

    run(scenario)


def test_two_recordings_in_a_form_are_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            two = [("audio", ("a.wav", wav())), ("audio", ("b.wav", wav()))]
            await refused(it, 400, "invalid_message", await it.client.post(SUBMIT, files=two))

    run(scenario)


def test_a_body_without_a_length_is_bounded_too(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'
        for _ in range(60):
            yield b"y" * 50_000

    async def scenario() -> None:
        async with desked(tmp_path, idle=True, options=SMALL) as it:
            kind = {"Content-Type": "multipart/form-data; boundary=x"}
            await refused(it, 413, "frame_too_large", await it.client.post(SUBMIT, content=endless(), headers=kind))

    run(scenario)


def test_a_large_recording_never_rests_in_memory(tmp_path: Path) -> None:
    """Forty megabytes come, and the most that is held of them is a fraction."""
    piece = b"z" * 500_000

    async def sound() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'
        for _ in range(80):
            yield piece
        yield b"\r\n--x--\r\n"

    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            await it.client.get("/api/v1/health")
            tracemalloc.start()
            kind = {"Content-Type": "multipart/form-data; boundary=x"}
            answer = await it.client.post(SUBMIT, content=sound(), headers=kind)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            await refused(it, 400, "corrupt_audio", answer)
            assert peak < 12_000_000

    run(scenario)


def test_an_upload_that_comes_in_is_waited_for_when_the_server_drains(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            middle = asyncio.Event()

            async def slowly() -> AsyncIterator[bytes]:
                yield b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'
                await middle.wait()
                yield wav() + b"\r\n--x--\r\n"

            kind = {"Content-Type": "multipart/form-data; boundary=x"}
            coming = asyncio.create_task(it.client.post(SUBMIT, content=slowly(), headers=kind))
            await until(lambda: it.desk.uploads.taken == 1)
            draining = asyncio.create_task(it.served.gateway.drain(PATIENCE))
            await until(it.desk.drained.is_set)
            middle.set()
            assert (await coming).status_code == 202
            await draining
            assert it.desk.uploads.taken == 0

    run(scenario)


def test_a_body_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        options = RecordingOptions(idle_timeout=BRIEFLY)
        async with desked(tmp_path, idle=True, options=options) as it:
            reader, writer = await asyncio.open_connection(it.served.host, it.served.port)
            writer.write(
                f"POST {SUBMIT} HTTP/1.1\r\nHost: {it.served.authority}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
                "Content-Length: 1000\r\n\r\n--x\r\n".encode()
            )
            answer = await reader.read(-1)
            assert b" 408 " in answer.partition(b"\r\n")[0]
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "idle_timeout"
            writer.close()
            assert not it.kept
            assert it.desk.uploads.taken == 0

    run(scenario)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            _, writer = await asyncio.open_connection(it.served.host, it.served.port)
            writer.write(
                f"POST {SUBMIT} HTTP/1.1\r\nHost: {it.served.authority}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
                'Content-Length: 900000\r\n\r\n--x\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'.encode()
                + b"y" * 400_000
            )
            await writer.drain()
            await until(lambda: it.desk.uploads.taken == 1)
            writer.close()
            await until(lambda: it.desk.uploads.taken == 0)
            await until(lambda: not it.kept)

    run(scenario)


def test_uploads_at_once_are_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True, options=RecordingOptions(max_uploads=1)) as it:
            _, writer = await asyncio.open_connection(it.served.host, it.served.port)
            writer.write(
                f"POST {SUBMIT} HTTP/1.1\r\nHost: {it.served.authority}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
                "Content-Length: 9000\r\n\r\n--x\r\n".encode()
            )
            await until(lambda: it.desk.uploads.taken == 1)
            answer = await it.client.post(SUBMIT, files={"audio": ("a.wav", wav())})
            assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
            assert int(answer.headers["retry-after"]) >= 1
            assert it.served.count("starling_jobs_refused_total", reason="capacity") == 1
            writer.close()
            await until(lambda: it.desk.uploads.taken == 0)

    run(scenario)


def test_a_recording_that_says_it_is_too_long(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True, options=RecordingOptions(max_duration=3)) as it:
            await refused(it, 413, "frame_too_large", await it.client.post(SUBMIT, files={"audio": ("a.wav", wav())}))

    run(scenario)


def test_too_many_that_wait(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True, max_queued=2) as it:
            await submitted(it)
            await submitted(it)
            answer = await it.client.post(SUBMIT, files={"audio": ("a.wav", wav())})
            assert (answer.status_code, answer.json()["code"], len(it.kept)) == (429, "quota_exceeded", 2)
            assert "retry-after" in answer.headers

    run(scenario)


def test_pages_of_others_may_not_hand_in(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, idle=True) as it:
            page = {"Origin": "https://evil.example"}
            await refused(it, 403, "forbidden", await it.client.post(SUBMIT, files={"audio": ("a.wav", wav())}, headers=page))
            rebound = {"Host": "evil.example"}
            await refused(it, 403, "forbidden", await it.client.get("/api/v1/asr/history", headers=rebound))

    run(scenario)


def test_a_recording_elsewhere_is_fetched_where_that_is_allowed(tmp_path: Path) -> None:
    sound = wav()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if "/missing" in head:
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        elif "/huge" in head:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000)
        elif "/inside" in head:
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(sound) + sound)
        writer.close()

    async def scenario() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        options = RecordingOptions(allow_urls=True, allowed_networks=networks(("127.0.0.0/8",)), max_bytes=200_000)
        async with server, desked(tmp_path, idle=True, options=options) as it:
            for path, status, code in (
                ("missing", 422, "url_failed"),
                ("huge", 413, "frame_too_large"),
                ("inside", 400, "invalid_option"),
            ):
                answer = await it.client.post(SUBMIT, json={"url": f"http://127.0.0.1:{port}/{path}"})
                await refused(it, status, code, answer)
            answer = await it.client.post(SUBMIT, json={"url": f"http://127.0.0.1:{port}/my%20call.wav", "words": False})
            assert answer.status_code == 202, answer.text
            job = await it.store.get(answer.json()["task_id"])
            assert job is not None
            assert (job.recording.name, job.recording.size) == ("my call.wav", len(sound))
        async with desked(tmp_path / "b", idle=True, options=RecordingOptions(allow_urls=True), egress=Egress()) as it:
            for url in (f"http://127.0.0.1:{port}/a", f"http://localhost:{port}/a", "http://[::1]/", "http://169.254.169.254/"):
                answer = await it.client.post(SUBMIT, json={"url": url})
                await refused(it, 400, "invalid_option", answer)

    run(scenario)


def test_the_key_file_of_whoever_runs_this_is_not_read() -> None:
    assert not keys_path("~/.config/starling/keys.json").exists()


def test_an_open_gateway_shares_no_places(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, gateway=GatewayOptions(port=0), options=RecordingOptions(max_uploads=4)) as it:
            assert it.desk.uploads._each == 4

    run(scenario)
