"""Deepgram's API for recordings in this server's document: what goes in, what comes out, and how it is refused."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, Field

from starling.gateway.recordings.views import Warned
from starling.protocols.conformance import Treatment
from starling.protocols.deepgram.recorded import RECORDED

FLAGS: Final = frozenset({"punctuate", "smart_format", "paragraphs", "utterances", "multichannel"})
REPEATED: Final = frozenset({"keyterm", "keywords"})


class HeardWord(BaseModel):
    """One word."""

    word: str
    start: float
    end: float
    confidence: float
    punctuated_word: str | None = Field(None, description="with `punctuate` or `smart_format`")


class Sentence(BaseModel):
    """One segment of a paragraph."""

    text: str
    start: float
    end: float


class Paragraph(BaseModel):
    """All that was said, in its sentences."""

    sentences: list[Sentence]
    num_words: int
    start: float
    end: float


class Paragraphs(BaseModel):
    """With `paragraphs`."""

    transcript: str
    paragraphs: list[Paragraph]


class Alternative(BaseModel):
    """The text of a channel."""

    transcript: str
    confidence: float
    words: list[HeardWord]
    paragraphs: Paragraphs | None = None


class Channel(BaseModel):
    """One channel, or the mix of all."""

    alternatives: list[Alternative]


class Utterance(BaseModel):
    """With `utterances`: what was said without a long pause."""

    start: float
    end: float
    confidence: float
    channel: int
    transcript: str
    words: list[HeardWord]
    id: str


class Results(BaseModel):
    """What was said."""

    channels: list[Channel]
    utterances: list[Utterance] | None = None


class ModelInfo(BaseModel):
    """The model that heard it."""

    name: str
    version: str
    arch: str


class Metadata(BaseModel):
    """What was heard."""

    transaction_key: str
    request_id: str
    sha256: str = Field(description="of the recording")
    created: str
    duration: float = Field(description="seconds")
    channels: int
    models: list[str]
    model_info: dict[str, ModelInfo]
    warnings: list[Warned] | None = Field(None, description="what may be missing in the text; left out if nothing is known to be")


class Listened(BaseModel):
    """The answer once the recording is transcribed."""

    metadata: Metadata
    results: Results


class Accepted(BaseModel):
    """The answer with `callback`, at once: that URL is told the rest."""

    request_id: str


class DeepgramRefusal(BaseModel):
    """The body of every refusal of this API. The header `dg-error` says the same."""

    err_code: str
    err_msg: str = Field(description="for a person: what was expected, what came, what to do")


REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": DeepgramRefusal, "description": HTTPStatus(status).phrase}
    for status in (400, 401, 403, 405, 408, 413, 415, 422, 429, 500, 503)
}

_URL: Final = {"type": "object", "properties": {"url": {"type": "string", "minLength": 1}}, "required": ["url"]}


def _parameter(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if name in FLAGS:
        schema = {"type": "boolean", "default": False}
    elif name in REPEATED:
        schema = {"type": "array", "items": {"type": "string"}}
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": RECORDED[name].note}


LISTENING: Final[dict[str, Any]] = {
    "parameters": [_parameter(name) for name, term in RECORDED.items() if term.treatment is Treatment.SUPPORTED],
    "requestBody": {
        "required": True,
        "description": "a recording of any kind that FFmpeg reads, under any `Content-Type`; or its URL, where that is allowed",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": _URL},
        },
    },
}
"""The request of ``POST /v1/listen``. What else Deepgram takes is ignored or refused: see docs/protocols/deepgram.md."""
