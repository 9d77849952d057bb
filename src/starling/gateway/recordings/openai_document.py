"""OpenAI's API for recordings in this server's document: what goes in, what comes out, and how it is refused."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from starling.gateway.recordings.event_streams import Event, event_stream
from starling.gateway.recordings.views import Warned
from starling.protocols.openai_audio.request import GRANULARITIES, Form

EVENTS: Final = (
    "With `stream`, server-sent events: `transcript.text.delta` with `delta` for each segment as soon as it is known, then "
    "`transcript.text.done` with the whole `text` and `usage`, then `[DONE]`. What goes wrong later is an event with `error`."
)

WARNED: Final = "what may be missing in the text; left out if nothing is known to be, and in the header `Starling-Warnings`, too"


class Usage(BaseModel):
    """What was transcribed."""

    type: Literal["duration"]
    seconds: int = Field(description="of audio, rounded up")


class PlainTranscription(BaseModel):
    """The answer in `json`."""

    text: str
    usage: Usage
    warnings: list[Warned] | None = Field(None, description=WARNED)


class SpokenWord(BaseModel):
    """One word."""

    word: str
    start: float
    end: float


class SpokenSegment(BaseModel):
    """What was said without a long pause. What no model here has is there nevertheless, as clients read it."""

    id: int
    seek: int = Field(description="its start in hundredths of a second")
    start: float
    end: float
    text: str
    tokens: list[int] = Field(description="always empty")
    temperature: float = Field(description="always 0")
    avg_logprob: float = Field(description="logarithm of the segment's confidence")
    compression_ratio: float
    no_speech_prob: float = Field(description="always 0")


class VerboseTranscription(BaseModel):
    """The answer in `verbose_json`. Of `segments` and `words` there are those that were asked for."""

    task: Literal["transcribe"]
    language: str = Field(description="its name in English, such as `english`")
    duration: float = Field(description="seconds")
    text: str
    segments: list[SpokenSegment] | None = None
    words: list[SpokenWord] | None = None
    usage: Usage
    warnings: list[Warned] | None = Field(None, description=WARNED)


class Model(BaseModel):
    """A model that can be asked for."""

    id: str
    object: Literal["model"]
    created: int = Field(description="Unix seconds")
    owned_by: str


class Models(BaseModel):
    """All of them."""

    object: Literal["list"]
    data: list[Model]


class OpenAIError(BaseModel):
    """Why a request was refused."""

    message: str = Field(description="for a person: what was expected, what came, what to do")
    type: str
    param: str | None = Field(description="the field that was wrong")
    code: str = Field(description="stable name of the error")


class OpenAIRefusal(BaseModel):
    """The body of every refusal of this API."""

    error: OpenAIError


class TextDelta(BaseModel):
    """What one segment adds to the text."""

    type: Literal["transcript.text.delta"]
    delta: str


class TextDone(BaseModel):
    """All of it."""

    type: Literal["transcript.text.done"]
    text: str
    usage: Usage
    warnings: list[Warned] | None = Field(None, description=WARNED)


SAID: Final = (
    Event(data=TextDelta, description="a segment is known"),
    Event(data=TextDone, description="the recording was transcribed"),
    Event(data="[DONE]", description="the end of a stream where nothing went wrong"),
    Event(data=OpenAIRefusal, description="what went wrong, as the last event"),
)
"""The events of a transcription with `stream`."""


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """``statuses`` for the document, besides those that every request may get."""
    every = sorted({401, 403, 405, 429, 500, 503, *statuses})
    return {status: {"model": OpenAIRefusal, "description": HTTPStatus(status).phrase} for status in every}


TEXTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": f"The text, in `response_format`. {EVENTS}",
        "content": {
            "text/plain": {"schema": {"type": "string"}},
            "text/vtt": {"schema": {"type": "string"}},
            **event_stream(EVENTS, SAID),
        },
    }
}
"""What a transcription is answered with besides JSON."""

_FILE: Final = {"type": "string", "format": "binary", "description": "the recording, of any kind that FFmpeg reads"}
_MODEL: Final = {"type": "string", "minLength": 1, "description": "a name of `GET /v1/models`, or `whisper-1` for the default"}


def _form(properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"file": _FILE, "model": _MODEL, **properties}, "required": ["file", "model"]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def _words(description: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string"}, "description": description}


TRANSCRIPTION: Final = _form({
    "language": {"type": "string", "description": "of the speech; one that the model does not speak is refused"},
    "languages[]": _words("the first that the model speaks"),
    "prompt": {"type": "string", "description": "a list of names and terms becomes hot words; prose is ignored"},
    "keywords[]": _words("hot words"),
    "response_format": {"type": "string", "enum": [form.value for form in Form], "default": Form.JSON.value},
    "stream": {"type": "boolean", "default": False, "description": "with `json` and `text`: what is known is told at once"},
    "timestamp_granularities[]": {
        "type": "array",
        "items": {"type": "string", "enum": list(GRANULARITIES)},
        "description": "with `verbose_json`: which times it has; those of segments if left out",
    },
    "temperature": {"type": "number", "minimum": 0, "maximum": 1, "description": "ignored: nothing is drawn at random"},
})  # fmt: skip
"""The form of ``POST /v1/audio/transcriptions``. FastAPI does not see it, since it is never held in memory."""

TRANSLATION: Final = _form({})
"""That of ``POST /v1/audio/translations``, which is always refused."""
