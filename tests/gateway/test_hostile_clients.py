"""Clients that break the rules, on purpose or not: they get an answer, cost little, and hurt nobody else."""

import asyncio
import base64
import itertools
import json
import logging
import socket
import struct
from collections.abc import Iterator
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from gateway.gateway_harness import BRIEFLY, END, START, Served, hear, run, served, until
from patience import PATIENCE
from protocols.native_strategies import client_messages
from starling.core.records import EndReason
from starling.gateway import intake, websocket_protocol
from starling.gateway.options import GatewayOptions
from starling.gateway.websocket_protocol import SLICE, PoliteWebSocketProtocol
from starling.protocols.native.messages import decode_server, encode

NO_GATE = '{"type":"start","vad":"off"}'


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A client's fault is no reason for a traceback, nor for an error in the log."""
    yield
    loud = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR or record.exc_info]
    assert not loud, [record.getMessage() for record in loud]


def upgrade(it: Served, path: str = "/v1/stream", extra: str = "") -> bytes:
    key = base64.b64encode(bytes(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: {it.authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{extra}\r\n"
    ).encode("latin-1")


async def raw(it: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket connection without a library's good manners."""
    reader, writer = await asyncio.open_connection(it.host, it.port)
    writer.write(upgrade(it))
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def deaf(it: Served) -> socket.socket:
    """A WebSocket connection that reads nothing after the upgrade, and has little room for what is sent to it."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    plain.setblocking(False)  # noqa: FBT003  # the socket module's own signature
    loop = asyncio.get_running_loop()
    await loop.sock_connect(plain, (it.host, it.port))
    await loop.sock_sendall(plain, upgrade(it))
    assert b" 101 " in await loop.sock_recv(plain, 4_096)
    return plain


def masked(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin=fin).serialize(mask=True)


@pytest.mark.parametrize("size", [1_025, 100_000, 20_000_000])
def test_a_frame_over_the_limit_is_answered_and_what_came_before_counts(size: int) -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, max_frame_bytes=1_024)) as it:
            reader, writer = await raw(it)
            writer.write(masked(Opcode.TEXT, NO_GATE.encode()) + masked(Opcode.BINARY, bytes(1_000)))
            writer.write(masked(Opcode.BINARY, bytes(size)))
            answer = await reader.read(-1)
            assert b'"code":"frame_too_large"' in answer
            assert b'"type":"done"' in answer
            assert b'"audio_seconds":0.031' in answer
            close = answer[answer.rindex(b"}") + 1 :]
            assert (close[0], close[2:4]) == (0x88, struct.pack("!H", 1009))
            writer.close()

    run(scenario)


def test_a_client_library_sees_the_answer_to_a_frame_over_the_limit() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, max_frame_bytes=65_536)) as it, it.connect() as client:
            await client.send(NO_GATE)
            await hear(client, until="ready")
            await client.send(bytes(65_537))
            said = await hear(client)
            assert (said[0]["code"], said[-1]["type"]) == ("frame_too_large", "done")
            assert "a frame may have 65536 bytes" in said[0]["message"]
            assert client.close_code == 1009

    run(scenario)


@pytest.mark.parametrize("first", [True, False])
def test_text_that_is_not_utf8(first: bool) -> None:  # noqa: FBT001  # a parameter of pytest
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            if not first:
                await client.send(START)
                await hear(client, until="ready")
            await client.send(b'{"type":"\xff"}', text=True)
            said = await hear(client)
            assert said[0]["code"] == "invalid_message"
            assert "UTF-8" in said[0]["message"]
            assert (said[-1]["type"] == "done") is not first
            assert client.close_code == 1007

    run(scenario)


def test_a_frame_that_is_no_websocket_frame() -> None:
    async def scenario() -> None:
        async with served() as it:
            reader, writer = await raw(it)
            writer.write(masked(Opcode.TEXT, START.encode()) + b"\xff\xff\xff\xff")
            answer = await reader.read(-1)
            assert b'"code":"invalid_message"' in answer
            assert struct.pack("!H", 1002) in answer
            writer.close()

    run(scenario)


def test_empty_fragments_without_end_cost_nothing() -> None:
    async def scenario() -> None:
        async with served() as it:
            reader, writer = await raw(it)
            writer.write(masked(Opcode.TEXT, b"", fin=False) + masked(Opcode.CONT, b"", fin=False) * 10_000)
            writer.write(masked(Opcode.CONT, START.encode()))
            assert b'"type":"ready"' in await reader.read(4096)
            writer.close()

    run(scenario)


def test_who_never_reads_is_cut_off_and_holds_nothing() -> None:
    async def scenario() -> None:
        options = GatewayOptions(port=0, send_timeout=0.2, max_backlog=4)
        async with served(options) as it:
            plain = await deaf(it)
            await asyncio.get_running_loop().sock_sendall(plain, masked(Opcode.TEXT, NO_GATE.encode()))
            await until(lambda: bool(it.recognizer.records))
            session_id = it.recognizer.records[0].session_id
            flood = it.recognizer.transcript(session_id, is_final=True, text="x" * 100_000)
            for segment in range(200):
                await it.bus.publish(replace(flood, segment_id=segment))
            ended = await it.recognizer.ended.get()
            assert ended.reason is EndReason.ERROR
            assert it.count("starling_sessions_ended_total", reason="error") == 1
            await until(lambda: not it.gateway.active)
            assert it.count("starling_result_backlog") == 0
            plain.close()

    run(scenario)


def test_who_leaves_after_a_large_message_is_not_worked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "SLICE", 2)

    async def scenario() -> None:
        async with served() as it:
            reader, writer = await raw(it)
            writer.write(masked(Opcode.TEXT, NO_GATE.encode()) + masked(Opcode.BINARY, bytes(1_000_000)))
            await until(lambda: bool(it.recognizer.records))
            writer.transport.abort()
            ended = await it.recognizer.ended.get()
            assert ended.reason is EndReason.DISCONNECTED
            assert it.count("starling_audio_in_seconds_total") < 10
            assert not await reader.read(0)

    run(scenario)


def test_a_large_message_hides_none_that_come_after_it() -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            await client.send(NO_GATE)
            for _ in range(5):
                await client.send(bytes(320_000))
            await client.send(END)
            assert (await hear(client))[-1]["audio_seconds"] == 50.0

    run(scenario)


def test_who_does_not_read_its_results_is_not_read_either() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, max_backlog=4)) as it, it.connect(max_queue=1) as client:
            await client.send(NO_GATE)
            (ready,) = await hear(client, until="ready")
            flood = it.recognizer.transcript(ready["session_id"], is_final=True, text="x" * 1_000_000)
            for segment in range(40):
                await it.bus.publish(replace(flood, segment_id=segment))
            for _ in range(1_000):
                await asyncio.sleep(0)
            for _ in range(100):
                await client.send(bytes(3_200))
            for _ in range(1_000):
                await asyncio.sleep(0)
            assert it.count("starling_frames_received_total") < 5
            await client.send(END)
            said = await hear(client)
            assert said[-1]["audio_seconds"] == 10.0
            assert sum(len(message["text"]) == 1_000_000 for message in said if message["type"] == "result") == 40

    run(scenario)


def test_pings_of_who_reads_nothing_are_not_answered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    buffered: list[int] = []
    answer = PoliteWebSocketProtocol.handle_ping

    def watched(connection: PoliteWebSocketProtocol) -> None:
        answer(connection)
        buffered.append(connection.transport.get_write_buffer_size())

    monkeypatch.setattr(PoliteWebSocketProtocol, "handle_ping", watched)

    async def scenario() -> None:
        async with served() as it:
            plain = await deaf(it)
            for _ in range(100):
                await asyncio.get_running_loop().sock_sendall(plain, masked(Opcode.PING, b"x" * 125) * 1_000)
            await until(lambda: len(buffered) == 100_000)
            assert 0 < max(buffered) < 200_000
            plain.close()

    run(scenario)


def test_a_head_that_never_ends_is_cut_off() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, head_timeout=BRIEFLY)) as it:
            reader, writer = await asyncio.open_connection(it.host, it.port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: local")
            assert b"408 Request Timeout" in await reader.read(-1)
            silent, other = await asyncio.open_connection(it.host, it.port)
            assert await silent.read(-1) == b""
            writer.close()
            other.close()

    run(scenario)


def test_the_second_head_on_a_connection_has_a_deadline_too() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, head_timeout=BRIEFLY)) as it:
            reader, writer = await asyncio.open_connection(it.host, it.port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost")
            answer = await reader.read(-1)
            assert answer.index(b"200 OK") < answer.index(b"408 Request Timeout")
            writer.close()

    run(scenario)


def test_a_body_that_nobody_wants_is_not_waited_for() -> None:
    async def scenario() -> None:
        async with served() as it:
            reader, writer = await asyncio.open_connection(it.host, it.port)
            writer.write(b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nso it begins")
            assert (await reader.read(-1)).startswith(b"HTTP/1.1 405")
            writer.close()

    run(scenario)


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nX: ", b"GET /", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000])
def test_a_head_without_measure_is_refused(head: bytes) -> None:
    async def scenario() -> None:
        async with served() as it:
            reader, writer = await asyncio.open_connection(it.host, it.port)
            writer.write(head)
            for _ in range(8):
                writer.write(b"x" * 32_768)
            answer = await reader.read(4_096)
            assert answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))
            writer.close()

    run(scenario)


@pytest.mark.parametrize(
    ("path", "extra", "answer"),
    [
        ("/v1/stream", "X-Long: " + "x" * 20_000 + "\r\n", b"HTTP/1.1 4"),
        ("/v1/stream", "X: y\r\n" * 300, b"HTTP/1.1 4"),
        ("/v1/\xff", "", b"HTTP/1.1 400"),
        ("/v1/stream?q=\xe9", "", b"HTTP/1.1 400"),
        ("/v1/nothing", "", b"HTTP/1.1 404"),
        ("/", "", b"HTTP/1.1 404"),
    ],
)
def test_a_strange_upgrade_is_answered(path: str, extra: str, answer: bytes) -> None:
    async def scenario() -> None:
        async with served() as it:
            reader, writer = await asyncio.open_connection(it.host, it.port)
            writer.write(upgrade(it, path, extra))
            assert (await reader.read(-1)).startswith(answer)
            writer.close()

    run(scenario)


def test_an_upgrade_without_a_key_is_refused() -> None:
    async def scenario() -> None:
        async with served() as it:
            answer = await it.get("/v1/stream", Upgrade="websocket", Connection="Upgrade")
            assert answer.startswith("HTTP/1.1 4")

    run(scenario)


def test_noise_is_no_http() -> None:
    async def scenario() -> None:
        async with served() as it:
            assert (await it.request("\x16\x03\x01 hello\r\n\r\n")).startswith("HTTP/1.1 400")

    run(scenario)


_frames = st.lists(client_messages.map(encode) | st.text(max_size=10) | st.binary(max_size=64), min_size=1, max_size=8)


def test_any_frames_in_any_order_are_answered_in_the_protocol() -> None:
    async def talk(it: Served, frames: list[str | bytes]) -> None:
        async with it.connect() as client:
            try:
                for frame in frames:
                    await client.send(frame)
                await client.send(END)
            except ConnectionClosed:
                pass
            said = await hear(client)
            for message in said:
                decode_server(json.dumps(message))
            assert [message["sequence"] for message in said] == list(range(len(said)))
            assert said[-1]["type"] in {"done", "error"}
            assert client.close_code in {1000, 1003, 1007, 1008}

    async def scenario() -> None:
        options = GatewayOptions(port=0, max_sessions_per_address=200)
        async with served(options) as it:
            loop = asyncio.get_running_loop()

            @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
            @given(_frames)
            def explore(frames: list[str | bytes]) -> None:
                asyncio.run_coroutine_threadsafe(talk(it, frames), loop).result(PATIENCE)

            await asyncio.to_thread(explore)

    run(scenario)


def test_a_flood_of_bad_messages_holds_nobody_up() -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            reader, writer = await raw(it)
            writer.write(masked(Opcode.TEXT, START.encode()) + masked(Opcode.TEXT, b"{") * 8_000)
            draining = asyncio.create_task(reader.read(-1))
            await client.send(START)
            await hear(client, until="ready")
            taken = it.count("starling_frames_received_total")
            await client.send(END)
            await hear(client, until="done")
            assert it.count("starling_frames_received_total") - taken < 1_000
            writer.close()
            await draining

    run(scenario)


def test_a_flood_of_pings_is_worked_through_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    pings, turns = 0, [0]

    def count(protocol: PoliteWebSocketProtocol) -> None:
        nonlocal pings
        pings += 1
        protocol.conn.data_to_send()

    monkeypatch.setattr(PoliteWebSocketProtocol, "handle_ping", count)

    async def scenario() -> None:
        async with served() as it:
            _, writer = await raw(it)
            writer.write(masked(Opcode.PING, b"") * 20_000)
            while pings < 20_000:
                await asyncio.sleep(0)
                turns.append(pings)
            writer.close()

    run(scenario)
    assert max(after - before for before, after in itertools.pairwise(turns)) <= SLICE / len(masked(Opcode.PING, b"")) + 1


def test_who_floods_with_pings_waits_between_the_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_protocol, "PING_REST", 3_600.0)
    pings = 0
    answer = PoliteWebSocketProtocol.handle_ping

    def count(protocol: PoliteWebSocketProtocol) -> None:
        nonlocal pings
        pings += 1
        answer(protocol)

    monkeypatch.setattr(PoliteWebSocketProtocol, "handle_ping", count)

    async def scenario() -> None:
        async with served() as it:
            _, writer = await raw(it)
            writer.write(masked(Opcode.PING, b"") * 5_000)
            await writer.drain()
            async with it.connect() as client:
                await client.send(START)
                await hear(client, until="ready")
                await client.send(END)
                await hear(client, until="done")
            assert 0 < pings <= SLICE / len(masked(Opcode.PING, b""))
            writer.close()

    run(scenario)


def test_sessions_that_are_cancelled_log_no_error() -> None:
    async def scenario() -> None:
        async with served() as it, it.connect() as client:
            await client.send(START)
            await hear(client, until="ready")
            (task,) = (task for task in asyncio.all_tasks() if "run_asgi" in repr(task.get_coro()))
            task.cancel()
            assert await hear(client) == []

    run(scenario)
