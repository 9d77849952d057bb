"""Calls over gRPC: the same limits as for WebSockets, said by a status, and nothing is left of whoever breaks them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auth.test_keys import add
from gateway.certificates import make_certificate
from gateway.gateway_harness import BRIEFLY, Served, run, served, until
from patience import PATIENCE
from starling.core.errors import StarlingError
from starling.gateway.call import address_of
from starling.gateway.listening import listen, reserve
from starling.gateway.options import GatewayOptions
from starling.protocols.dialects import spoken
from starling.protocols.registry import DIALECTS
from starling.protocols.wire import health_pb2, rpc_status_pb2
from starling.protocols.wire import riva_asr_pb2 as wire
from starling.telemetry.health import State

RIVA = spoken(["riva:0"], DIALECTS)
CUT_SHORT = "Internal error from Core"
"""What gRPC's client in Python makes of a status that comes while it writes."""

PATH = "/nvidia.riva.asr.RivaSpeechRecognition/"

CONFIG = wire.StreamingRecognizeRequest(
    streaming_config=wire.StreamingRecognitionConfig(
        config=wire.RecognitionConfig(encoding=wire.LINEAR_PCM, sample_rate_hertz=16000), interim_results=True
    )
).SerializeToString()
SECOND = wire.StreamingRecognizeRequest(audio_content=b"\1\0" * 16000).SerializeToString()


def options(**changes: Any) -> GatewayOptions:
    return GatewayOptions(port=0, protocols=RIVA, **changes)


@asynccontextmanager
async def dial(it: Served, tls: Any = None, *, narrow: bool = False) -> AsyncIterator[Any]:
    """A channel. ``narrow``: little is taken of a stream before it is read."""
    chosen = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own
    chosen += [("grpc.http2.lookahead_bytes", 1), ("grpc.http2.bdp_probe", 0)] if narrow else []
    port = it.ports["riva"]
    if tls is None:
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", chosen)
    else:
        channel = grpc.aio.secure_channel(f"localhost:{port}", tls, chosen)
    async with channel:
        yield channel


def stream(channel: Any, **call: Any) -> Any:
    """A call of raw messages."""
    return channel.stream_stream(f"{PATH}StreamingRecognize")(**call)


async def ended(call: Any) -> tuple[grpc.StatusCode, str]:
    """What a call ends with, once all was read."""
    with suppress(grpc.RpcError):
        while await call.read() is not grpc.aio.EOF:
            pass
    return await call.code(), await call.details()


async def heard(call: Any) -> wire.StreamingRecognizeResponse:
    message = await call.read()
    assert message is not grpc.aio.EOF
    return wire.StreamingRecognizeResponse.FromString(message)


def last(response: wire.StreamingRecognizeResponse) -> str:
    return response.results[-1].alternatives[0].transcript


async def finished(call: Any) -> str:
    """The text of the first final of a call whose client says no more."""
    await call.done_writing()
    while not (response := await heard(call)).results[-1].is_final:
        pass
    return last(response)


async def say(call: Any, *messages: bytes) -> None:
    for message in messages:
        await call.write(message)


def test_a_call_is_a_session() -> None:
    async def scenario() -> None:
        async with served(options()) as it, dial(it) as channel:
            call = stream(channel)
            await say(call, CONFIG, SECOND)
            assert last(await heard(call)).endswith(" samples")
            assert it.gateway.active == 1
            assert await finished(call) == "16000 samples "
            assert await ended(call) == (grpc.StatusCode.OK, "")
            await until(lambda: it.gateway.active == 0)
            assert it.count("starling_sessions_opened_total") == 1
            assert it.count("starling_protocol_sessions_total", protocol="riva") == 1
            assert it.count("starling_protocol_sessions_total", protocol="native") == 0

    run(scenario)


def test_one_connection_carries_as_many_calls_as_there_are_places() -> None:
    async def scenario() -> None:
        async with served(options(max_sessions=3, max_sessions_per_address=3)) as it, dial(it) as channel:
            calls = [stream(channel) for _ in range(3)]
            for call in calls:
                await say(call, CONFIG, SECOND)
                await heard(call)
            await asyncio.gather(*(finished(call) for call in calls))

    run(scenario)


def test_a_flood_of_calls_on_one_connection_gets_no_more_than_the_places() -> None:
    async def scenario() -> None:
        async with served(options(max_sessions=2), unfinished=True) as it, dial(it) as channel:
            channels = [stream(channel) for _ in range(300)]
            await until(lambda: it.gateway.active == 2)
            for call in channels:
                call.cancel()
            await until(lambda: it.gateway.active == 0)

    run(scenario)


def test_connections_are_bounded() -> None:
    async def scenario() -> None:
        async with served(options(max_connections=1)) as it, dial(it) as first, dial(it) as second:
            call = stream(first)
            await say(call, CONFIG, SECOND)
            await heard(call)
            code, _ = await ended(stream(second, timeout=PATIENCE))
            assert code is grpc.StatusCode.UNAVAILABLE
            await finished(call)

    run(scenario)


def test_who_is_refused_for_load_hears_when_to_come_back() -> None:
    async def scenario() -> None:
        async with served(options(max_sessions_per_address=1)) as it, dial(it) as channel, dial(it) as other:
            first = stream(channel)
            await say(first, CONFIG, SECOND)
            await heard(first)
            second = stream(other)
            code, message = await ended(second)
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "sessions" in message
            trailers = dict(await second.trailing_metadata())
            assert trailers["grpc-retry-pushback-ms"] == "2000"
            assert rpc_status_pb2.Status.FromString(trailers["grpc-status-details-bin"]).message == message
            await finished(first)

    run(scenario)


def test_a_server_that_is_not_ready_says_so_to_who_asks() -> None:
    async def scenario() -> None:
        async with served(options()) as it, dial(it) as channel:
            ask = channel.unary_unary(
                "/grpc.health.v1.Health/Check", response_deserializer=health_pb2.HealthCheckResponse.FromString
            )
            assert (await ask(b"")).status == health_pb2.HealthCheckResponse.SERVING
            it.health.set("model", State.STARTING)
            assert (await ask(b"")).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert (await ended(stream(channel)))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
            it.health.set("model", State.OK)
            for wrong, code in (
                (health_pb2.HealthCheckRequest(service="other").SerializeToString(), grpc.StatusCode.NOT_FOUND),
                (b"\xff", grpc.StatusCode.INVALID_ARGUMENT),
            ):
                with pytest.raises(grpc.RpcError) as refused:
                    await ask(wrong)
                assert refused.value.code() is code

    run(scenario)


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([b"\xff\xff"], grpc.StatusCode.INVALID_ARGUMENT),
        ([SECOND], grpc.StatusCode.INVALID_ARGUMENT),
        ([CONFIG, CONFIG], grpc.StatusCode.INVALID_ARGUMENT),
        ([CONFIG, b"\x12" + b"\xff" * 12], grpc.StatusCode.INVALID_ARGUMENT),
        ([CONFIG, bytes(1_100_000)], grpc.StatusCode.RESOURCE_EXHAUSTED),
        ([CONFIG, bytes(5_000_000)], grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
)
def test_who_breaks_the_protocol_is_told(messages: list[bytes], code: grpc.StatusCode) -> None:
    async def scenario() -> None:
        async with served(options()) as it, dial(it) as channel:
            call = stream(channel)
            with suppress(grpc.RpcError, asyncio.InvalidStateError):
                await say(call, *messages)
            assert (await ended(call))[0] is code
            await until(lambda: it.gateway.active == 0)

    run(scenario)


def test_a_refused_message_takes_nothing_back() -> None:
    async def scenario() -> None:
        async with served(options()) as it, dial(it) as channel:
            call = stream(channel)
            await say(call, CONFIG, SECOND, CONFIG)
            while not (response := await heard(call)).results[-1].is_final:
                pass
            assert last(response) == "16000 samples "
            assert (await ended(call))[0] is grpc.StatusCode.INVALID_ARGUMENT

    run(scenario)


def test_compressed_messages_are_not_taken() -> None:
    async def scenario() -> None:
        async with served(options()) as it, dial(it) as channel:
            call = channel.unary_stream(f"{PATH}StreamingRecognize")(SECOND, compression=grpc.Compression.Gzip)
            assert (await ended(call))[0] is grpc.StatusCode.UNIMPLEMENTED

    run(scenario)


@pytest.mark.parametrize("how", ["cancel", "deadline", "connection"])
def test_a_client_that_leaves_leaves_nothing(how: str) -> None:
    async def scenario() -> None:
        async with served(options()) as it:
            async with dial(it) as channel:
                await channel.channel_ready()
                call = stream(channel, timeout=3.0 if how == "deadline" else None)
                late = (grpc.RpcError, asyncio.InvalidStateError, AssertionError) if how == "deadline" else ()
                with suppress(*late):
                    await say(call, CONFIG, SECOND)
                    await heard(call)
                if how == "cancel":
                    call.cancel()
                elif how == "deadline":
                    assert (await ended(call))[0] is grpc.StatusCode.DEADLINE_EXCEEDED
            await until(lambda: it.gateway.active == 0)
            await until(lambda: it.recognizer.ended.qsize() == it.count("starling_sessions_opened_total"))

    run(scenario)


def test_a_client_that_leaves_while_its_session_ends_leaves_nothing() -> None:
    async def scenario() -> None:
        async with served(options(), unfinished=True) as it, dial(it) as channel:
            call = stream(channel)
            await say(call, CONFIG, SECOND)
            await call.done_writing()
            await until(lambda: it.recognizer.ended.qsize() == 1)
            call.cancel()
            await until(lambda: it.gateway.active == 0)
            it.recognizer.finishing.set()

    run(scenario)


@pytest.mark.parametrize("first", [[], [CONFIG]])
def test_nobody_holds_a_place_by_saying_nothing(first: list[bytes]) -> None:
    async def scenario() -> None:
        async with served(options(start_timeout=BRIEFLY, idle_timeout=BRIEFLY)) as it, dial(it) as channel:
            call = stream(channel)
            with suppress(grpc.RpcError, asyncio.InvalidStateError):
                await say(call, *first)
            assert (await ended(call))[0] is grpc.StatusCode.ABORTED
            await until(lambda: it.gateway.active == 0)

    run(scenario)


def test_audio_is_not_taken_faster_than_it_is_recognized() -> None:
    async def scenario() -> None:
        async with served(options(), max_lead=32_000, held=True) as it, dial(it) as channel:
            call = stream(channel)
            await say(call, CONFIG)
            sent = 0

            async def flood() -> None:
                nonlocal sent
                while sent < 300:
                    await call.write(SECOND)
                    sent += 1

            flooding = asyncio.create_task(flood())
            await until(lambda: it.log.lag() >= 32_000)
            for _ in range(50):
                await asyncio.sleep(0.002)
            assert sent < 100
            it.recognizer.listening.set()
            await flooding
            assert await finished(call) == f"{300 * 16000} samples "

    run(scenario)


def test_a_client_that_reads_nothing_is_left() -> None:
    async def scenario() -> None:
        many = GatewayOptions(port=0, protocols=RIVA, send_timeout=0.2, max_backlog=4)
        async with served(many) as it, dial(it, narrow=True) as channel:
            call = stream(channel)
            tiny = wire.StreamingRecognizeRequest(audio_content=b"\1\0" * 2000).SerializeToString()
            await say(call, CONFIG)

            async def flood() -> None:
                with suppress(grpc.RpcError, asyncio.InvalidStateError):
                    while True:
                        await call.write(tiny)

            flooding = asyncio.create_task(flood())
            await until(lambda: it.count("starling_sessions_opened_total") == 1)
            await until(lambda: it.gateway.active == 0)
            flooding.cancel()
            await asyncio.wait([flooding])
            call.cancel()

    run(scenario)


def test_keys_are_asked_for_as_of_everybody(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key, _ = add(keys)

    async def scenario() -> None:
        async with served(options(keys_file=keys)) as it, dial(it) as channel:
            near = stream(channel)
            await say(near, CONFIG, SECOND)
            assert await finished(near) == "16000 samples "
            proxied = stream(channel, metadata=(("x-forwarded-for", "192.0.2.1"),))
            assert (await ended(proxied))[0] is grpc.StatusCode.UNAUTHENTICATED
        far = options(keys_file=keys, protocols_host="0.0.0.0")
        async with served(far) as it, dial(it) as channel:
            for metadata in ((), (("authorization", "Bearer wrong"),), (("x-api-key-bin", b"x"),)):
                assert (await ended(stream(channel, metadata=metadata)))[0] is grpc.StatusCode.UNAUTHENTICATED
            ask = channel.unary_unary(f"{PATH}GetRivaSpeechRecognitionConfig")
            with pytest.raises(grpc.RpcError) as refused:
                await ask(b"")
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
            for name, value in (("authorization", f"Bearer {key}"), ("x-api-key", key)):
                call = stream(channel, metadata=((name, value),))
                await say(call, CONFIG, SECOND)
                assert await finished(call) == "16000 samples "
            answer = wire.RivaSpeechRecognitionConfigResponse.FromString(await ask(b"", metadata=(("x-api-key", key),)))
            assert answer.model_config

    run(scenario)


def test_questions_that_are_none_have_a_status() -> None:
    async def scenario() -> None:
        async with served(options()) as it, dial(it) as channel:
            for method, message, code in (
                (f"{PATH}GetRivaSpeechRecognitionConfig", b"\xff", grpc.StatusCode.INVALID_ARGUMENT),
                (f"{PATH}Recognize", b"\xff", grpc.StatusCode.INVALID_ARGUMENT),
                (f"{PATH}Other", b"", grpc.StatusCode.UNIMPLEMENTED),
            ):
                with pytest.raises(grpc.RpcError) as refused:
                    await channel.unary_unary(method)(message)
                assert refused.value.code() is code
            silent = channel.stream_stream(f"{PATH}GetRivaSpeechRecognitionConfig")()
            await silent.done_writing()
            assert (await ended(silent))[0] is grpc.StatusCode.INVALID_ARGUMENT

    run(scenario)


def test_a_recording_may_be_larger_than_a_message_of_a_stream_only_up_to_its_limit() -> None:
    async def scenario() -> None:
        async with served(options(max_frame_bytes=100_000)) as it, dial(it) as channel:
            recognize = channel.unary_unary(
                f"{PATH}Recognize",
                request_serializer=wire.RecognizeRequest.SerializeToString,
                response_deserializer=wire.RecognizeResponse.FromString,
            )
            config = wire.RecognitionConfig(encoding=wire.MULAW)
            response = await recognize(wire.RecognizeRequest(config=config, audio=b"\1" * 900_000))
            assert response.results[0].alternatives[0].transcript == "1800000 samples "
            with pytest.raises(grpc.RpcError) as refused:
                await recognize(wire.RecognizeRequest(config=config, audio=bytes(5 << 20)))
            assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    run(scenario)


def test_tls_is_that_of_every_other_port(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)

    async def scenario() -> None:
        async with served(options(tls_cert=cert, tls_key=key)) as it:
            async with dial(it, grpc.ssl_channel_credentials(cert.read_bytes())) as channel:
                call = stream(channel)
                await say(call, CONFIG, SECOND)
                assert await finished(call) == "16000 samples "
            (other := tmp_path / "renewed").mkdir()
            renewed, its_key = make_certificate(other)
            cert.write_bytes(renewed.read_bytes())
            key.write_bytes(its_key.read_bytes())
            async with dial(it, grpc.ssl_channel_credentials(renewed.read_bytes())) as channel:
                call = stream(channel)
                await say(call, CONFIG, SECOND)
                assert await finished(call) == "16000 samples "

    run(scenario)


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello"])
def test_who_speaks_something_else_is_left(tmp_path: Path, junk: bytes) -> None:
    cert, key = make_certificate(tmp_path)

    async def scenario() -> None:
        for tls in ({}, {"tls_cert": cert, "tls_key": key}):
            async with served(options(**tls)) as it:
                reader, writer = await asyncio.open_connection("127.0.0.1", it.ports["riva"])
                writer.write(junk)
                writer.write_eof()
                with suppress(ConnectionResetError):
                    await reader.read()
                writer.close()

    run(scenario)


def test_a_drain_finishes_what_is_being_said() -> None:
    async def scenario() -> None:
        async with served(options()) as it, dial(it) as channel:
            call = stream(channel)
            await say(call, CONFIG, SECOND)
            await heard(call)
            draining = asyncio.create_task(it.gateway.drain(PATIENCE))
            assert (await ended(call))[0] is grpc.StatusCode.UNAVAILABLE
            assert await draining == 0
            assert (await ended(stream(channel)))[0] is grpc.StatusCode.UNAVAILABLE

    run(scenario)


def test_a_place_that_is_reserved_is_kept_from_others_and_given_to_who_shares() -> None:
    with reserve("127.0.0.1", 0) as place:
        port = place.getsockname()[1]
        with pytest.raises(StarlingError):
            listen("127.0.0.1", port)
        with pytest.raises(StarlingError):
            reserve("127.0.0.1", port)
        with socket.socket() as sharing:
            sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sharing.bind(("127.0.0.1", port))
            sharing.listen()
            with pytest.raises(StarlingError):
                reserve("127.0.0.1", port)


@pytest.mark.parametrize(
    ("peer", "address"),
    [("ipv4:127.0.0.1:5000", "127.0.0.1"), ("ipv6:%5B::1%5D:5000", "::1"), ("ipv6:[::1]:5000", "::1"), ("unix:/x", ""), ("", "")],
)
def test_peers_have_addresses(peer: str, address: str) -> None:
    assert address_of(peer) == address


HALF: Final = wire.StreamingRecognizeRequest(audio_content=bytes(100)).SerializeToString()
pieces = st.sampled_from([CONFIG, HALF, b"", CONFIG[:5]]) | st.binary(max_size=30)


@settings(max_examples=12)
@given(st.lists(pieces, max_size=6), st.sampled_from(["StreamingRecognize", "Recognize", "GetRivaSpeechRecognitionConfig"]))
def test_whatever_comes_no_session_is_left_and_a_status_is_given(sent: list[bytes], method: str) -> None:
    async def scenario() -> None:
        async with served(options()) as it, dial(it) as channel:
            call = channel.stream_stream(f"{PATH}{method}")()
            with suppress(grpc.RpcError, asyncio.InvalidStateError):
                await say(call, *sent)
                await call.done_writing()
            code, why = await ended(call)
            if why != CUT_SHORT:
                assert code in {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}, why
            await until(lambda: it.gateway.active == 0)

    run(scenario)
