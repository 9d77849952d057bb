"""The API does what its document says: requests made from it, right and wrong ones, get what it promises (Schemathesis)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import hypothesis
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck
from pydantic import BaseModel
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from auth.test_keys import add
from gateway.gateway_harness import run
from gateway.recordings.desk_harness import desked, submitted, wav
from patience import PATIENCE
from starling.core.jobs import JobError
from starling.gateway.options import GatewayOptions
from starling.gateway.recordings.deepgram_document import DeepgramRefusal, Listened
from starling.gateway.recordings.openai_document import OpenAIRefusal, PlainTranscription, VerboseTranscription
from starling.protocols.deepgram.dialect import DEEPGRAM
from starling.protocols.dialects import Spoken

EXAMPLES = 8
"""Of each operation, right and wrong ones."""

OPERATIONS = 29
"""Of Starling, OpenAI and Deepgram together."""

EXCLUDED = dict.fromkeys(
    ("POST /api/v1/asr/submit", "GET /api/v1/asr/history", "POST /v1/audio/transcriptions", "POST /v1/listen"),
    (positive_data_acceptance,),
)
"""Whether bytes are a recording, and a cursor one of this server's, no schema can say."""

STEADY = hypothesis.settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def conforms(url: str, key: str) -> set[str]:
    """Ask as the document at ``url`` says, and otherwise. The operations that were asked."""
    schema: Any = schemathesis.openapi.from_url(f"{url}/openapi.json")
    asked = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        asked.add(operation.label)
        for mode in GenerationMode:
            with suppress(hypothesis.errors.Unsatisfiable, NotImplementedError):  # of some there are no wrong ones
                _ask(operation.as_strategy(generation_mode=mode), EXCLUDED.get(operation.label, ()), key)
    return asked


def _ask(cases: Any, excluded: tuple[Any, ...], key: str) -> None:
    @STEADY
    @hypothesis.given(case=cases)
    def answers_as_promised(case: Any) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        case.call_and_validate(headers=headers, excluded_checks=list(excluded), timeout=PATIENCE)

    answers_as_promised()


@pytest.mark.filterwarnings("ignore")
def test_every_operation_answers_as_its_document_says(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key, _ = add(keys, operator=True)

    gateway = GatewayOptions(port=0, keys_file=keys, failures_per_minute=100_000, protocols=(Spoken(DEEPGRAM, None),))

    async def scenario() -> None:
        async with desked(tmp_path / "kept", gateway=gateway, max_queued=10_000) as it:
            asked = await asyncio.to_thread(conforms, f"http://{it.served.authority}", key)
            assert len(asked) == OPERATIONS, sorted(asked)

    run(scenario)


def fits(answer: httpx2.Response, kind: type[BaseModel]) -> bool:
    """Whether a body is all that ``kind`` has, and nothing else."""
    body = answer.json()
    return bool(kind.model_validate(body, strict=True).model_dump(exclude_unset=True) == body)


def references(part: object) -> Iterator[str]:
    """Every `$ref` in a document."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def streamed(text: str) -> list[dict[str, str]]:
    """The events of a stream, as a parser gives them: those that carry something."""
    blocks = [dict(line.split(": ", 1) for line in block.split("\n") if line[:1] != ":") for block in text.split("\n\n") if block]
    return [block for block in blocks if "data" in block]


def allowed(document: dict[str, Any], path: str, method: str, event: dict[str, str]) -> int:
    """How many of the kinds of events that ``document`` has there are ``event``."""
    kinds = document["paths"][path][method]["responses"]["200"]["content"]["text/event-stream"]["itemSchema"]["anyOf"]
    return sum(_is(document, kind, event) for kind in kinds)


def _is(document: dict[str, Any], kind: dict[str, Any], event: dict[str, str]) -> bool:
    whole = {"components": document["components"]}
    data = kind["properties"]["data"]
    if not jsonschema_rs.is_valid({**whole, **kind}, event):
        return False
    if "contentSchema" not in data:
        return True
    try:
        carried = json.loads(event["data"])
    except ValueError:
        return False
    return jsonschema_rs.is_valid({**whole, **data["contentSchema"]}, carried)


def test_events_look_as_the_document_says(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path) as it:
            document = (await it.client.get("/openapi.json")).json()
            for found in set(references(document)):
                name = found.removeprefix("#/components/schemas/")
                assert name in document["components"]["schemas"]
            sent: dict[str, Any] = {"files": {"file": ("talk", wav())}, "data": {"model": "whisper-1", "stream": "true"}}
            said = streamed((await it.client.post("/v1/audio/transcriptions", **sent)).text)
            it.scribe.error = JobError(code="corrupt_audio", message="it breaks off", final=True)
            said += streamed((await it.client.post("/v1/audio/transcriptions", **sent)).text)
            assert [allowed(document, "/v1/audio/transcriptions", "post", event) for event in said] == [1] * 5
            it.scribe.error = None
            told = streamed((await it.client.get(f"/api/v1/asr/events/{await submitted(it)}")).text)
            assert {"segment", "end"} <= {event["event"] for event in told}
            assert {allowed(document, "/api/v1/asr/events/{task_id}", "get", event) for event in told} == {1}
            assert not allowed(document, "/api/v1/asr/events/{task_id}", "get", {"event": "end", "id": "1", "data": "{}"})

    run(scenario)


def test_texts_look_as_the_document_says(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desked(tmp_path, gateway=GatewayOptions(port=0, protocols=(Spoken(DEEPGRAM, None),))) as it:

            async def transcribed(**fields: Any) -> httpx2.Response:
                return await it.client.post("/v1/audio/transcriptions", files={"file": ("talk", wav())}, data=fields)

            both = {"response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"]}
            assert fits(await transcribed(model="whisper-1"), PlainTranscription)
            assert fits(await transcribed(model="whisper-1", **both), VerboseTranscription)
            assert fits(await transcribed(model="unknown"), OpenAIRefusal)
            query = "punctuate=true&paragraphs=true&utterances=true"
            assert fits(await it.client.post(f"/v1/listen?{query}", content=wav()), Listened)
            assert fits(await it.client.post("/v1/listen", content=wav()), Listened)
            assert fits(await it.client.post("/v1/listen?diarize=true", content=wav()), DeepgramRefusal)

    run(scenario)
