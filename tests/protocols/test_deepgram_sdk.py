"""Deepgram's own Python client against this server."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from protocols.dialect_server import native_texts, speaking
from recordings import recording
from starling.app import Running
from starling.core.audio import Samples

pytestmark = [pytest.mark.model, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

deepgram = pytest.importorskip("deepgram", reason="make setup-dev installs it")
environments = pytest.importorskip("deepgram.environment", reason="make setup-dev installs it")


def listen(url: str, sound: Samples, **options: str) -> list[Any]:
    """What the client hears of ``sound``; it finalizes in the middle, and keeps the connection alive before."""
    environment = environments.DeepgramClientEnvironment(
        base=url.replace("ws", "http", 1), production=url, agent=url, agent_rest=url
    )
    client = deepgram.DeepgramClient(api_key="any", environment=environment)
    with client.listen.v1.connect(model="nova-3", encoding="linear16", sample_rate="16000", **options) as connection:

        def send() -> None:
            connection.send_keep_alive()
            for start in range(0, len(sound), 1600):
                connection.send_media(sound[start : start + 1600].tobytes())
                if start == 64_000:
                    connection.send_finalize()
            connection.send_close_stream()

        sending = threading.Thread(target=send)
        sending.start()
        heard = list(connection)
        sending.join()
    return heard


def test_its_own_client_reads_what_starling_s_own_reads() -> None:
    sound = recording("two_cities")[: 16_000 * 13]

    async def scenario(server: Running, url: str) -> None:
        halves = [await native_texts(server, part) for part in (sound[:65_600], sound[65_600:])]
        heard = await asyncio.to_thread(
            listen, url, sound, punctuate="true", interim_results="true", vad_events="true", utterance_end_ms="1000"
        )
        results = [message for message in heard if message.type == "Results"]
        finals = [message for message in results if message.is_final]
        assert [message.channel.alternatives[0].transcript for message in finals] == [*halves[0], *halves[1]]
        assert [message.from_finalize for message in finals] == [True, *[False] * len(halves[1])]
        assert finals[0].channel.alternatives[0].words[0].punctuated_word == "It"
        assert {message.type for message in heard} >= {"SpeechStarted", "Results", "Metadata"}
        assert heard[-1].duration == pytest.approx(13.0)
        assert {message.metadata.request_id for message in results} == {heard[-1].request_id}

    speaking("deepgram", scenario)
