"""The official Python clients of OpenAI and Deepgram against this server: recordings of real speech, the real model.

Only the address is changed.
"""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import uvloop

from patience import PATIENCE
from recordings import recording
from starling.app import running
from starling.config.settings import Settings
from starling.core.audio import SAMPLE_RATE, Samples

pytestmark = [pytest.mark.model, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

openai = pytest.importorskip("openai", reason="make setup-dev installs it")
deepgram = pytest.importorskip("deepgram", reason="make setup-dev installs it")
environments = pytest.importorskip("deepgram.environment", reason="make setup-dev installs it")

WORDS = ("best of times", "worst of times")


def file_of(sound: Samples, *, channels: int = 1) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(sound.repeat(channels).tobytes())
    return made.getvalue()


def served(client: Callable[[str], None]) -> None:
    """Run ``client`` on a thread, with the address of a server that transcribes."""
    chosen = {
        "server": {"port": 0, "protocols": ["deepgram"]},
        "log": {"level": "error"},
        "jobs": {"workers": 1, "idle_only": False},
    }
    settings = Settings.model_validate(chosen)

    async def main() -> None:
        async with running(settings) as server:
            await asyncio.to_thread(client, server.url.rstrip("/"))

    uvloop.run(main())


def heard(text: str) -> bool:
    return all(words in text.lower() for words in WORDS)


def use_openai(url: str, sound: bytes) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0, timeout=PATIENCE) as client:
        _use_openai(client, sound)


def _use_openai(client: Any, sound: bytes) -> None:
    create = client.audio.transcriptions.create
    names = [model.id for model in client.models.list()]
    assert names == ["moonshine-tiny-en", "whisper-1"]
    assert client.models.retrieve("moonshine-tiny-en").owned_by == "starling"
    plain = create(model="whisper-1", file=sound)
    assert heard(plain.text)
    assert plain.usage.seconds == 13
    assert heard(create(model=names[0], file=("talk.wav", io.BytesIO(sound)), response_format="text", language="en"))
    assert " --> " in create(model=names[0], file=sound, response_format="srt")
    assert create(model=names[0], file=sound, response_format="vtt").startswith("WEBVTT")
    verbose = create(
        model=names[0], file=sound, response_format="verbose_json", timestamp_granularities=["word", "segment"], temperature=0
    )
    assert heard(verbose.text)
    assert verbose.language == "english"
    assert verbose.duration == pytest.approx(13.0, abs=0.1)
    assert heard(" ".join(segment.text for segment in verbose.segments))
    assert [word.word for word in verbose.words[:2]] == ["It", "was"]
    assert all(0 <= word.start <= word.end <= 13.1 for word in verbose.words)
    events = list(create(model=names[0], file=sound, stream=True))
    assert {event.type for event in events} == {"transcript.text.delta", "transcript.text.done"}
    assert "".join(event.delta for event in events[:-1]) == events[-1].text == verbose.text
    cut = sound[: len(sound) // 2]
    for form in ("json", "verbose_json"):
        [warning] = create(model=names[0], file=cut, response_format=form).warnings
        assert warning["code"] == "breaks_off"
    raw = client.audio.transcriptions.with_raw_response.create(model=names[0], file=cut, response_format="srt")
    assert raw.headers["starling-warnings"] == "breaks_off"
    with pytest.raises(openai.NotFoundError):
        create(model="gpt-9", file=sound)
    with pytest.raises(openai.BadRequestError) as refused:
        create(model=names[0], file=sound, response_format="diarized_json")
    assert refused.value.param == "response_format"
    with pytest.raises(openai.BadRequestError):
        create(model=names[0], file=b"no recording")
    with pytest.raises(openai.PermissionDeniedError, match="translates"):
        client.audio.translations.create(model=names[0], file=sound)


def use_deepgram(url: str, sound: bytes, stereo: bytes) -> None:
    environment = environments.DeepgramClientEnvironment(base=url, production=url, agent=url, agent_rest=url)
    with httpx.Client(timeout=PATIENCE) as http:
        client = deepgram.DeepgramClient(api_key="any", environment=environment, httpx_client=http)
        _use_deepgram(client, sound, stereo)


def _use_deepgram(client: Any, sound: bytes, stereo: bytes) -> None:
    transcribe = client.listen.v1.media.transcribe_file
    found = transcribe(request=sound, model="nova-3", smart_format=True, utterances=True)
    best = found.results.channels[0].alternatives[0]
    assert heard(best.transcript)
    assert best.words[0].punctuated_word == "It"
    assert heard(" ".join(one.transcript for one in found.results.utterances))
    assert found.metadata.duration == pytest.approx(13.0, abs=0.1)
    both = transcribe(request=stereo, multichannel=True)
    assert [heard(channel.alternatives[0].transcript) for channel in both.results.channels] == [True, True]
    [warning] = transcribe(request=sound[: len(sound) // 2]).metadata.warnings
    assert warning["code"] == "breaks_off"
    with pytest.raises(deepgram.core.api_error.ApiError):
        transcribe(request=sound, diarize=True)


def test_official_clients_read_what_was_said() -> None:
    sound = recording("two_cities")[: SAMPLE_RATE * 13]
    mono, stereo = file_of(sound), file_of(sound, channels=2)

    def clients(url: str) -> None:
        use_openai(url, mono)
        use_deepgram(url, mono, stereo)

    served(clients)
