"""OpenAI's own Python client against this server: client secrets, and transcription with one."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from protocols.dialect_server import native_texts, speaking
from recordings import recording
from starling.app import Running
from starling.core.audio import Samples

pytestmark = [pytest.mark.model, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

openai = pytest.importorskip("openai", reason="make setup-dev installs it")

SESSION: dict[str, Any] = {
    "type": "transcription",
    "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}, "turn_detection": None}},
}


async def transcribed(client: Any, sound: Samples) -> tuple[str, str]:
    """What the deltas add up to, and the transcript, of a session that needs no update."""
    deltas = ""
    async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        for start in range(0, len(sound), 16_000):
            await connection.input_audio_buffer.append(audio=b64encode(sound[start : start + 16_000].tobytes()).decode())
        await connection.input_audio_buffer.commit()
        async for event in connection:
            if event.type == "conversation.item.input_audio_transcription.delta":
                deltas += event.delta
            elif event.type == "conversation.item.input_audio_transcription.completed":
                return deltas, event.transcript
            else:
                assert event.type != "error", event
    raise AssertionError("the connection ended without a transcript")


def test_its_own_client_opens_a_described_session_with_a_secret() -> None:
    sound = recording("beckett")

    async def scenario(server: Running, url: str) -> None:
        base = f"{url.replace('ws', 'http', 1)}/v1"
        async with openai.AsyncOpenAI(api_key="any", base_url=base) as client:
            secret = await client.realtime.client_secrets.create(
                expires_after={"anchor": "created_at", "seconds": 60}, session=SESSION
            )
        assert secret.session.type == "transcription"
        assert secret.value.startswith("ek_")
        async with openai.AsyncOpenAI(api_key=secret.value, base_url=base) as client:
            _, transcript = await transcribed(client, sound)
        assert transcript == " ".join(await native_texts(server, sound))

    speaking("openai-realtime", scenario)
