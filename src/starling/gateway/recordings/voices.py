"""How a refusal is said, by the API that was asked: each has a shape of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse

from starling.core.errors import StarlingError
from starling.gateway.recordings.problems import problem
from starling.gateway.refusals import advice
from starling.protocols.deepgram.dialect import refusal as deepgram_refusal
from starling.protocols.openai_audio.errors import error_body

MAX_COMPLAINTS: Final = 5


@dataclass(frozen=True, slots=True)
class Trouble:
    """A refusal before it has a shape. ``error``: what was raised, where something was."""

    status: int
    code: str
    message: str
    retryable: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    error: StarlingError | None = None


Voice: TypeAlias = Callable[[Trouble], JSONResponse]


def _as_problem(trouble: Trouble) -> JSONResponse:
    return problem(trouble.status, trouble.code, trouble.message, retryable=trouble.retryable, headers=dict(trouble.headers))


def _as_openai(trouble: Trouble) -> JSONResponse:
    return JSONResponse(
        error_body(trouble.status, trouble.code, trouble.message, trouble.error), trouble.status, dict(trouble.headers)
    )


def _as_deepgram(trouble: Trouble) -> JSONResponse:
    shaped = deepgram_refusal(trouble.error or _Plain(trouble.message, trouble.status))
    headers = {**trouble.headers, **(shaped.headers or {})}
    return JSONResponse(dict(shaped.body), trouble.status, headers)


def _as_ever(trouble: Trouble) -> JSONResponse:
    body = {"code": trouble.code, "message": trouble.message, "retryable": trouble.retryable}
    return JSONResponse({"error": body}, trouble.status, dict(trouble.headers))


VOICES: Final[Mapping[str, Voice]] = {
    "/api/": _as_problem,
    "/v1/audio/": _as_openai,
    "/v1/models": _as_openai,
    "/v1/listen": _as_deepgram,
}
"""By the beginning of the path."""


def refuse(path: str, trouble: Trouble) -> JSONResponse:
    """The response that tells ``trouble`` to who asked for ``path``."""
    voice = next((voice for prefix, voice in VOICES.items() if path.startswith(prefix)), _as_ever)
    return voice(trouble)


def trouble_of(error: StarlingError) -> Trouble:
    """What ``error`` says."""
    return Trouble(error.http_status, error.code, error.message, error.retryable, advice(error), error)


def invalid(error: RequestValidationError) -> Trouble:
    """What is wrong with a request's parameters. Their values are not given back."""
    found = [
        f"{'.'.join(str(part) for part in one['loc'][1:]) or one['loc'][0]}: {one['msg']}"
        for one in error.errors()[:MAX_COMPLAINTS]
    ]
    return Trouble(422, "invalid_option", f"expected a request as in /docs, got another: {'; '.join(found)}"[:1000])


class _Plain(StarlingError):
    """Something that no error was raised for."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.http_status = status  # type: ignore[misc]  # of this one only
