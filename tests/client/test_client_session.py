"""The client against a scripted server over a real socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from http import HTTPStatus
from typing import Any

import numpy as np
import pytest
from msgspec import UNSET

from client.scripted_server import DONE, READY, Peer, playing, refusing, result
from patience import PATIENCE, nobody_left
from starling.client import (
    ProtocolMismatch,
    Refused,
    SessionAborted,
    SessionLost,
    Unreachable,
    connect,
    converse,
    transcribe_stream,
)
from starling.client.line import FRAME_BYTES
from starling.client.options import Options
from starling.core.audio import AudioFormat, Encoding, Samples
from starling.core.config import VadMode
from starling.core.errors import CorruptAudio, InvalidMessage, InvalidOption, Overloaded, UnsupportedAudio
from starling.protocols.native.messages import (
    Audio,
    Configure,
    End,
    Error,
    Finalize,
    KeepAlive,
    Result,
    ServerMessage,
    SetLangs,
    Start,
)

SPEECH = np.arange(-8000, 8000, dtype=np.int16)


def run(test: Coroutine[Any, Any, None]) -> None:
    """On a loop of its own; what hangs fails, and so does a task left behind."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE):
            await test
        await nobody_left()

    asyncio.run(bounded())


async def greet(peer: Peer) -> Start:
    start = await peer.expect(Start)
    await peer.send(READY)
    assert isinstance(start, Start)
    return start


async def simple(peer: Peer) -> None:
    """One final, whatever is said."""
    await greet(peer)
    await peer.expect(End)
    await peer.send(result("It", version=0), result("It was.", version=1, final=True), DONE)
    await peer.close(1000)


async def chunks(*pieces: Samples | bytes) -> AsyncIterator[Samples | bytes]:
    for piece in pieces:
        yield piece


async def forever() -> AsyncIterator[Samples | bytes]:
    while True:
        await asyncio.sleep(0)
        yield SPEECH


def test_a_session_from_start_to_done() -> None:
    heard = b""

    async def script(peer: Peer) -> None:
        nonlocal heard
        start = await greet(peer)
        assert start.audio == Audio(encoding=Encoding.PCM_S16LE, sample_rate=16_000, channels=1)
        assert (start.language, start.partial_interval_ms, start.vad, start.client_ref) == ("de", 250, VadMode.SILERO, "mine")
        assert start.endpoint_silence_ms is UNSET, "what was not asked for stays as the server has it"
        assert peer.headers["Authorization"] == "Bearer key"
        await peer.expect(KeepAlive)
        await peer.expect(Finalize)
        changed = await peer.expect(Configure)
        assert changed == Configure(words=True, endpoint_silence_ms=1000, partials=False)
        await peer.expect(End)
        heard = peer.heard
        await peer.send(result("Hello.", final=True), DONE)

    async def test() -> None:
        options = Options(language="de", partial_interval=0.25, vad=VadMode.SILERO)
        async with (
            playing(script) as url,
            connect(url, client_ref="mine", headers={"Authorization": "Bearer key"}, **options) as session,
        ):
            assert session.ready == READY
            await session.send(SPEECH)
            await session.keepalive()
            await session.finalize()
            await session.configure(words=True, endpoint_silence=1, partials=False)
            await session.end()
            await session.end()
            assert [message async for message in session] == [result("Hello.", final=True), DONE]
            assert [message async for message in session] == []
            with pytest.raises(InvalidMessage, match="after end"):
                await session.send(SPEECH)
        assert heard == SPEECH.astype("<i2").tobytes()

    run(test())


def test_a_target_language_is_set_after_the_start_and_when_it_changes() -> None:
    async def script(peer: Peer) -> None:
        await greet(peer)
        assert await peer.expect(SetLangs) == SetLangs(target_language="de")
        assert await peer.expect(SetLangs) == SetLangs(target_language=None)
        await peer.send(DONE)

    async def test() -> None:
        async with playing(script) as url, connect(url, target_language="de") as session:
            await session.configure(target_language=None)
            assert await anext(session) == DONE

    run(test())


def test_long_audio_goes_in_frames_of_bounded_size() -> None:
    async def script(peer: Peer) -> None:
        await greet(peer)
        await peer.expect(End)
        assert peer.frames == [FRAME_BYTES, FRAME_BYTES, 10]
        await peer.send(DONE)

    async def test() -> None:
        async with playing(script) as url, connect(url) as session:
            await session.send(bytes(2 * FRAME_BYTES + 10))
            await session.end()
            assert await anext(session) == DONE

    run(test())


@pytest.mark.parametrize("wrong", [np.zeros(4, np.float32), np.zeros((2, 2), np.int16)])
def test_arrays_that_are_no_samples_are_refused(wrong: Any) -> None:
    async def test() -> None:
        async with playing(greet) as url, connect(url) as session:
            with pytest.raises(UnsupportedAudio, match=r"expected int16 samples of shape \[n\]"):
                await session.send(wrong)

    run(test())


def test_arrays_need_the_native_encoding() -> None:
    async def script(peer: Peer) -> None:
        start = await greet(peer)
        assert start.audio == Audio(encoding=Encoding.MULAW, sample_rate=8000, channels=1)

    async def test() -> None:
        async with playing(script) as url, connect(url, audio=AudioFormat(Encoding.MULAW, 8000)) as session:
            with pytest.raises(UnsupportedAudio, match="expected bytes of mulaw"):
                await session.send(SPEECH)

    run(test())


# --- refusals and failures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("header", "wait"), [({"Retry-After": "7"}, 7.0), ({}, 1.0), ({"Retry-After": "Fri, 1 Jan 2100"}, 1.0)])
def test_a_full_server_is_overloaded_with_the_time_to_wait(header: dict[str, str], wait: float) -> None:
    async def test() -> None:
        async with refusing(HTTPStatus.SERVICE_UNAVAILABLE, header) as url:
            with pytest.raises(Overloaded, match=f"try again in {wait:g} s") as caught:
                async with connect(url, patience=0):
                    pass
            assert caught.value.retry_after == wait

    run(test())


@pytest.mark.parametrize(("status", "kind"), [(HTTPStatus.SERVICE_UNAVAILABLE, Overloaded), (HTTPStatus.FORBIDDEN, Refused)])
def test_a_refusal_is_told_in_the_servers_words(status: HTTPStatus, kind: type[Exception]) -> None:
    body = '{"error":{"code":"forbidden","message":"all 32 sessions are taken","retryable":true}}'

    async def test() -> None:
        async with refusing(status, {}, body) as url:
            with pytest.raises(kind, match="all 32 sessions are taken"):
                async with connect(url):
                    pass

    run(test())


def test_any_other_answer_is_a_refusal_with_its_status() -> None:
    async def test() -> None:
        async with refusing(HTTPStatus.NOT_FOUND, {}) as url:
            with pytest.raises(Refused, match="HTTP 404") as caught:
                async with connect(url):
                    pass
            assert caught.value.status == 404

    run(test())


def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{taken.getsockname()[1]}"

        async def test() -> None:
            with pytest.raises(Unreachable, match="is the server running"):
                async with connect(url):
                    pass

        run(test())


def test_a_server_that_is_no_websocket_server_is_refused() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        writer.close()
        await writer.wait_closed()

    async def test() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(Refused, match="does not answer as a WebSocket server"):
                async with connect(f"127.0.0.1:{port}"):
                    pass

    run(test())


def test_a_server_that_never_gets_ready_is_unreachable() -> None:
    async def script(peer: Peer) -> None:
        await peer.expect(Start)
        await peer.expect(End)

    async def test() -> None:
        async with playing(script) as url:
            with pytest.raises(Unreachable, match="opened no session within"):
                async with connect(url, open_timeout=0.05):
                    pass

    run(test())


@pytest.mark.parametrize(
    ("error", "close_code", "expected"),
    [
        (Error(sequence=0, code="overloaded", message="full", retryable=True, retry_after=3), 1013, Overloaded),
        (Error(sequence=0, code="invalid_option", message="language 'xx' is not served", retryable=False), 1008, SessionAborted),
    ],
)
def test_an_error_instead_of_ready_is_raised_in_the_servers_words(
    error: Error, close_code: int, expected: type[Exception]
) -> None:
    async def script(peer: Peer) -> None:
        await peer.expect(Start)
        await peer.send(error)
        await peer.close(close_code, error.code)

    async def test() -> None:
        async with playing(script) as url:
            with pytest.raises(expected, match=error.message):
                async with connect(url, patience=0):
                    pass

    run(test())


def test_a_server_that_is_full_for_a_moment_is_asked_again_when_it_says() -> None:
    came = 0

    async def script(peer: Peer) -> None:
        nonlocal came
        came += 1
        if came < 3:
            await peer.expect(Start)
            await peer.send(Error(sequence=0, code="overloaded", message="full", retryable=True, retry_after=0.01))
            await peer.close(1013, "overloaded")
        else:
            await simple(peer)

    async def test() -> None:
        async with playing(script) as url, connect(url, patience=1000) as session:
            await session.end()
            assert [message async for message in session][-1] == DONE
        assert came == 3

    run(test())


def test_one_that_asks_for_more_patience_than_there_is_is_not_waited_for() -> None:
    async def test() -> None:
        async with refusing(HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "1000"}) as url:
            with pytest.raises(Overloaded):
                async with connect(url, patience=999):
                    pass

    run(test())


def test_a_failed_segment_is_a_message_and_the_session_goes_on() -> None:
    failed = Error(sequence=1, code="engine_failed", message="decode raised", retryable=True, segment_id=0)

    async def script(peer: Peer) -> None:
        await greet(peer)
        await peer.send(failed, result("", final=True), DONE)

    async def test() -> None:
        async with playing(script) as url, connect(url) as session:
            assert [message async for message in session] == [failed, result("", final=True), DONE]

    run(test())


def test_a_server_that_vanishes_is_a_lost_session() -> None:
    async def script(peer: Peer) -> None:
        await greet(peer)
        await peer.send(result("It"))
        peer.vanish()

    async def test() -> None:
        async with playing(script) as url, connect(url) as session:
            assert await anext(session) == result("It")
            with pytest.raises(SessionLost, match="1006") as caught:
                await anext(session)
            assert caught.value.closed_with == 1006
            with pytest.raises(SessionLost):
                await session.send(SPEECH)

    run(test())


def test_a_close_without_done_keeps_its_code_and_reason() -> None:
    async def script(peer: Peer) -> None:
        await greet(peer)
        await peer.close(1012, "restart")

    async def test() -> None:
        async with playing(script) as url, connect(url) as session:
            with pytest.raises(SessionLost, match="close code 1012: restart"):
                await anext(session)

    run(test())


@pytest.mark.parametrize("frame", [b"\0", "{", '{"type":"poem","sequence":1}'])
def test_a_frame_that_is_no_message_is_a_mismatch(frame: str | bytes) -> None:
    async def script(peer: Peer) -> None:
        await greet(peer)
        await peer.send(frame)

    async def test() -> None:
        async with playing(script) as url, connect(url) as session:
            with pytest.raises(ProtocolMismatch):
                await anext(session)

    run(test())


def test_something_else_before_ready_is_a_mismatch() -> None:
    async def script(peer: Peer) -> None:
        await peer.expect(Start)
        await peer.send(DONE)

    async def test() -> None:
        async with playing(script) as url:
            with pytest.raises(ProtocolMismatch, match="expected ready"):
                async with connect(url):
                    pass

    run(test())


def test_an_option_out_of_range_is_refused_on_this_side() -> None:
    async def test() -> None:
        async with playing(lambda peer: peer.expect(End)) as url:
            with pytest.raises(InvalidOption, match="endpoint_silence must be between"):
                async with connect(url, endpoint_silence=60):
                    pass

    run(test())


def test_a_bad_address_is_refused_before_dialling() -> None:
    async def test() -> None:
        with pytest.raises(InvalidOption):
            async with connect("ftp://host"):
                pass

    run(test())


def test_cancelling_a_read_loses_no_message() -> None:
    async def script(peer: Peer) -> None:
        await greet(peer)
        await peer.expect(Finalize)
        await peer.send(result("It was.", final=True), DONE)

    async def test() -> None:
        async with playing(script) as url, connect(url) as session:
            reading = asyncio.ensure_future(anext(session))
            await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
            await session.finalize()
            assert [message async for message in session] == [result("It was.", final=True), DONE]

    run(test())


# --- conversations -----------------------------------------------------------------------------------------------------


def test_a_conversation_sends_all_and_hands_over_every_message() -> None:
    heard: list[ServerMessage] = []

    async def test() -> None:
        async with playing(simple) as url, connect(url) as session:
            await converse(session, chunks(SPEECH, SPEECH), heard.append)

    run(test())
    assert heard == [result("It", version=0), result("It was.", version=1, final=True), DONE]


def test_stopping_ends_the_session_properly() -> None:
    heard: list[ServerMessage] = []
    stop = asyncio.Event()

    async def script(peer: Peer) -> None:
        await greet(peer)
        await peer.hear(SPEECH.nbytes)
        await peer.send(result("It"))
        await peer.expect(End)
        await peer.send(result("It was.", version=1, final=True), DONE)

    def handle(message: ServerMessage) -> None:
        heard.append(message)
        stop.set()

    async def test() -> None:
        async with playing(script) as url, connect(url) as session:
            await converse(session, forever(), handle, stop=stop)

    run(test())
    assert heard == [result("It"), result("It was.", version=1, final=True), DONE]


def test_a_server_that_does_not_finish_after_the_stop_is_given_up() -> None:
    stop = asyncio.Event()
    stop.set()

    async def script(peer: Peer) -> None:
        await greet(peer)
        await peer.expect(End)
        await peer.expect(End)

    async def test() -> None:
        async with playing(script) as url, connect(url) as session:
            with pytest.raises(SessionLost, match="did not come within"):
                await converse(session, forever(), lambda _: None, stop=stop, grace=0.05)

    run(test())


def test_audio_that_fails_midway_is_recognised_as_far_as_it_came() -> None:
    heard: list[ServerMessage] = []

    async def broken() -> AsyncIterator[Samples]:
        yield SPEECH
        raise CorruptAudio("the file ends in the middle of a frame")

    async def test() -> None:
        async with playing(simple) as url, connect(url) as session:
            with pytest.raises(CorruptAudio):
                await converse(session, broken(), heard.append)

    run(test())
    assert heard[-1] == DONE


@pytest.mark.parametrize("vanish", [True, False])
def test_a_lost_server_ends_the_conversation(*, vanish: bool) -> None:
    async def script(peer: Peer) -> None:
        await greet(peer)
        if vanish:
            peer.vanish()
        else:
            await peer.send(Error(sequence=1, code="slow_consumer", message="read your results", retryable=True))
            await peer.close(1008, "slow_consumer")

    async def test() -> None:
        async with playing(script) as url, connect(url) as session:
            with pytest.raises(SessionLost if vanish else SessionAborted):
                await converse(session, forever(), lambda _: None)

    run(test())


def test_done_before_all_audio_was_sent_is_no_success() -> None:
    async def script(peer: Peer) -> None:
        await greet(peer)
        await peer.send(DONE)
        await peer.expect(End)

    async def test() -> None:
        async with playing(script) as url, connect(url) as session:
            with pytest.raises(SessionLost, match="before all audio was sent"):
                await converse(session, forever(), lambda _: None)

    run(test())


def test_cancelling_a_conversation_closes_the_connection_and_leaves_no_task() -> None:
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await greet(peer)
        try:
            await peer.expect(End)
        finally:
            closed.set()

    async def test() -> None:
        async with playing(script) as url:

            async def talk() -> None:
                async with connect(url) as session:
                    await converse(session, forever(), lambda _: None)

            talking = asyncio.create_task(talk())
            for _ in range(20):
                await asyncio.sleep(0)
            talking.cancel()
            await asyncio.wait([talking])
            assert talking.cancelled()
            await closed.wait()

    run(test())


def test_an_error_in_the_handler_ends_the_conversation() -> None:
    def refuse(message: ServerMessage) -> None:
        raise BrokenPipeError

    async def test() -> None:
        async with playing(simple) as url, connect(url) as session:
            with pytest.raises(BrokenPipeError):
                await converse(session, chunks(SPEECH), refuse)

    run(test())


def test_the_blocking_client_returns_the_finals() -> None:
    finals: list[Result] = []

    async def test() -> None:
        async with playing(simple) as url:
            finals.extend(await asyncio.to_thread(transcribe_stream, url, [SPEECH, SPEECH]))

    asyncio.run(test())
    assert [final.text for final in finals] == ["It was."]
