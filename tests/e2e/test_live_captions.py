"""The whole server, the real model, real speech, over real sockets."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest
import uvloop
from websockets.asyncio.client import connect as dial

from recordings import recording
from starling import Recognizer
from starling.app import Running, running
from starling.client import connect
from starling.client.sample import REFERENCE, WORD_ERROR_LIMIT
from starling.client.word_errors import word_error_rate
from starling.config.settings import Settings
from starling.core.audio import AudioFormat, Encoding, Samples, seconds
from starling.core.transcript import Transcript
from starling.protocols.native.messages import Done, Error, Result, ServerMessage, SpeechEnded, SpeechStarted

pytestmark = pytest.mark.model

QUIET = Settings.model_validate({"server": {"port": 0}, "log": {"level": "error"}, "jobs": {"workers": 0}})


def on_a_server(scenario: Callable[[Running], Coroutine[Any, Any, None]], settings: Settings = QUIET) -> None:
    async def main() -> None:
        async with running(settings) as server:
            await scenario(server)

    uvloop.run(main())


async def caption(server: Running, sound: Samples, *, chunk: int = 1600, **options: Any) -> list[ServerMessage]:
    """All messages of one session that sends ``sound`` as fast as the server takes it."""
    async with connect(server.stream_url, **options) as session, asyncio.TaskGroup() as tasks:

        async def send() -> None:
            for start in range(0, len(sound), chunk):
                await session.send(sound[start : start + chunk])
            await session.end()

        tasks.create_task(send())
        return [message async for message in session]
    raise AssertionError("unreachable")


def finals(messages: list[ServerMessage]) -> list[Result]:
    return [message for message in messages if isinstance(message, Result) and message.is_final]


def said(transcripts: list[Transcript]) -> list[tuple[int, str, float, float]]:
    return [(t.segment_id, t.text, round(seconds(t.start), 3), round(seconds(t.end), 3)) for t in transcripts]


def test_a_reading_is_captioned_right_and_equals_the_offline_transcript() -> None:
    sound = recording("two_cities")
    with Recognizer() as recognizer:
        offline = said(list(recognizer.transcribe(sound)))

    async def scenario(server: Running) -> None:
        one, other = await asyncio.gather(caption(server, sound, resume=False), caption(server, sound, chunk=7001))
        for messages in (one, other):
            assert [(r.segment_id, r.text, r.start, r.end) for r in finals(messages)] == offline
            assert isinstance(messages[-1], Done)
        assert [message.sequence for message in one] == list(range(1, len(one) + 1))  # ready was 0; nobody asked for acks
        assert word_error_rate(REFERENCE, " ".join(text for _, text, _, _ in offline)) < WORD_ERROR_LIMIT

    on_a_server(scenario)


def test_who_shares_the_server_does_not_matter() -> None:
    sounds = [recording(name) for name in ("beckett", "clone-test", "beckett", "endgame_nagg_nell")]
    with Recognizer() as recognizer:
        alone = [said(list(recognizer.transcribe(sound))) for sound in sounds]

    async def scenario(server: Running) -> None:
        together = await asyncio.gather(*(caption(server, sound) for sound in sounds))
        assert [[(r.segment_id, r.text, r.start, r.end) for r in finals(m)] for m in together] == alone

    on_a_server(scenario)


def test_a_segment_s_messages_come_in_order() -> None:
    async def scenario(server: Running) -> None:
        messages = await caption(server, recording("beckett"))
        versions: dict[int, int] = {}
        for message in messages:
            if isinstance(message, Result):
                assert message.version == versions.get(message.segment_id, 0) + 1
                versions[message.segment_id] = message.version
                assert message.text.startswith(message.stable_text)
                assert message.start <= message.end
        assert sum(isinstance(m, SpeechStarted) for m in messages) == len(finals(messages)) == len(versions)
        assert sum(isinstance(m, SpeechEnded) for m in messages) == len(versions)

    on_a_server(scenario)


@pytest.mark.parametrize("encoding", [Encoding.PCM_F32LE, Encoding.MULAW])
def test_other_encodings_say_the_same_words(encoding: Encoding) -> None:
    sound = recording("beckett")
    data = (sound / 32768).astype("<f4").tobytes() if encoding is Encoding.PCM_F32LE else _mulaw(sound)

    async def scenario(server: Running) -> None:
        async with connect(server.stream_url, audio=AudioFormat(encoding)) as session:
            await session.send(data)
            await session.end()
            text = " ".join(r.text for r in finals([message async for message in session]))
        assert "no matter" in text.lower()
        assert "try again" in text.lower()

    on_a_server(scenario)


def _mulaw(sound: Samples) -> bytes:
    """ITU-T G.711, by its formula."""
    x = np.clip(sound.astype(np.int32), -32635, 32635)
    magnitude = np.abs(x) + 132
    exponent = np.floor(np.log2(magnitude)).astype(int) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    coded = ~(np.where(x < 0, 0x80, 0) | (exponent << 4) | mantissa) & 0xFF
    return bytes(coded.astype(np.uint8))


def test_finalize_ends_a_segment_in_mid_sentence_and_bad_frames_cost_nothing() -> None:
    sound = recording("two_cities")[: 16_000 * 6]

    async def scenario(server: Running) -> None:
        async with dial(server.stream_url) as socket:
            await socket.send(sound[: 16_000 * 4].tobytes())
            await socket.send("{not json")
            await socket.send(json.dumps({"type": "finalise"}))
            await socket.send(json.dumps({"type": "finalize"}))
            await socket.send(sound[16_000 * 4 :].tobytes())
            await socket.send(json.dumps({"type": "end"}))
            messages = [json.loads(message) async for message in socket]
        texts = [m["text"] for m in messages if m["type"] == "result" and m["is_final"]]
        errors = [m["code"] for m in messages if m["type"] == "error"]
        assert errors == ["invalid_message", "invalid_message"]
        assert len(texts) == 2
        assert "best of times" in texts[0]
        assert socket.close_code == 1000

    on_a_server(scenario)


def test_the_server_tells_of_itself() -> None:
    async def scenario(server: Running) -> None:
        await caption(server, recording("beckett"))
        page = await asyncio.to_thread(_get, f"{server.url}metrics")
        for name in ("sessions_opened_total 1.0", 'segments_total{outcome="text"} 6.0', "final_latency_seconds_count 6.0"):
            assert f"starling_{name}" in page
        assert json.loads(await asyncio.to_thread(_get, f"{server.url}readyz"))["ready"]
        assert "<title>" in await asyncio.to_thread(_get, server.url)

    on_a_server(scenario)


def _get(url: str) -> str:
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own server
        text: str = answer.read().decode()
        return text


def test_a_draining_server_finishes_what_was_being_said() -> None:
    messages: list[ServerMessage] = []

    async def client(url: str, speaking: asyncio.Event) -> None:
        async with connect(url) as session:
            await session.send(recording("two_cities")[: 16_000 * 4])
            async for message in session:
                messages.append(message)
                if isinstance(message, Result) and "best of times" in message.text:  # so much has reached the server
                    speaking.set()

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks, running(QUIET) as server:
            speaking = asyncio.Event()
            tasks.create_task(client(server.stream_url, speaking))
            await speaking.wait()  # and leave the block, which drains the server

    uvloop.run(main())
    assert "best of times" in " ".join(result.text for result in finals(messages))
    assert any(isinstance(message, Error) and message.code == "shutting_down" for message in messages)
    assert isinstance(messages[-1], Done)
