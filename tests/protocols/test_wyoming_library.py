"""The client library that Home Assistant talks to Wyoming's servers with, over real sockets and with the real model."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from protocols.dialect_server import native_texts, speaking
from recordings import recording
from starling.app import Running

events = pytest.importorskip("wyoming.event", reason="make setup-dev installs it")
asr = pytest.importorskip("wyoming.asr", reason="make setup-dev installs it")
audio = pytest.importorskip("wyoming.audio", reason="make setup-dev installs it")
info = pytest.importorskip("wyoming.info", reason="make setup-dev installs it")
ping = pytest.importorskip("wyoming.ping", reason="make setup-dev installs it")
clients = pytest.importorskip("wyoming.client", reason="make setup-dev installs it")


async def heard(client: Any) -> Any:
    event = await client.read_event()
    assert event is not None
    return event


async def transcribed(client: Any, sound: Any, **pcm: int) -> tuple[list[str], str]:
    """As Home Assistant does it; the chunks, and the whole text."""
    await client.write_event(asr.Transcribe(language="en").event())
    await client.write_event(audio.AudioStart(**pcm).event())
    data = sound.tobytes()
    for start in range(0, len(data), 4096):
        await client.write_event(audio.AudioChunk(audio=data[start : start + 4096], **pcm).event())
    await client.write_event(audio.AudioStop().event())
    assert asr.TranscriptStart.is_type((await heard(client)).type)
    chunks = []
    while asr.TranscriptChunk.is_type((event := await heard(client)).type):
        chunks.append(asr.TranscriptChunk.from_event(event).text)
    text = asr.Transcript.from_event(event).text
    assert asr.TranscriptStop.is_type((await heard(client)).type)
    return chunks, text


@pytest.mark.model
def test_home_assistant_reads_what_starling_s_own_client_reads() -> None:
    sound = recording("two_cities")

    async def scenario(server: Running, url: str) -> None:
        native = " ".join(await native_texts(server, sound))
        async with clients.AsyncTcpClient("127.0.0.1", urlsplit(url).port) as client:
            await client.write_event(info.Describe().event())
            (program,) = info.Info.from_event(await heard(client)).asr
            assert program.installed
            assert program.supports_transcript_streaming
            assert program.models[0].languages == ["en"]
            await client.write_event(ping.Ping(text="x").event())
            assert ping.Pong.from_event(await heard(client)).text == "x"
            for wide, width in ((sound, 2), (sound.astype(np.int32) << 16, 4)):
                chunks, text = await transcribed(client, wide, rate=16000, width=width, channels=1)
                assert text == native
                assert len(chunks) > 1
            await client.write_event(events.Event("audio-start", {"rate": 1}))
            assert (await heard(client)).type == "error"
            assert await client.read_event() is None

    speaking("wyoming", scenario)
