"""Problem details (RFC 9457): what every refusal under ``/api`` is answered with."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

MEDIA_TYPE: Final = "application/problem+json"


class Problem(BaseModel):
    """Why a request was refused."""

    type: str = Field(description="`about:blank`: `title` says what `status` means in HTTP")
    title: str
    status: int
    detail: str = Field(description="for a person: what was expected, what came, what to do")
    code: str = Field(description="stable name of the error")
    retryable: bool = Field(description="whether the same may work later")


def problem(status: int, code: str, message: str, *, retryable: bool, headers: dict[str, str] | None = None) -> JSONResponse:
    """The response that says so."""
    body = Problem(
        type="about:blank", title=HTTPStatus(status).phrase, status=status, detail=message, code=code, retryable=retryable
    )
    return JSONResponse(body.model_dump(), status, headers, MEDIA_TYPE)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """``statuses`` for the API's document, besides those that every request may get."""
    schema = Problem.model_json_schema()
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in sorted({400, 401, 403, 404, 405, 408, 422, 429, 500, 503, *statuses})
    }
