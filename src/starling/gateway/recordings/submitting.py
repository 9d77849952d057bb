"""``POST /api/v1/asr/submit``."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Response
from starlette.requests import Request

from starling.core.errors import InvalidOption, StarlingError, UnsupportedAudio
from starling.core.jobs import Job
from starling.core.tracing import trace_of
from starling.gateway.access import address_of
from starling.gateway.gateway import Gateway
from starling.gateway.recordings.desk import Desk
from starling.gateway.recordings.fetching import fetch
from starling.gateway.recordings.intake import Wish
from starling.gateway.recordings.lingering import lingering
from starling.gateway.recordings.problems import problems
from starling.gateway.recordings.reception import Stored
from starling.gateway.recordings.views import Submitted
from starling.gateway.recordings.wishes import Named, Wanted, from_fields, from_json, wish

FILE: Final = "audio"


def _body() -> dict[str, Any]:
    """The request's body, for the API's document: FastAPI does not see it, since it is never held in memory."""
    wanted = Wanted.model_json_schema(ref_template="#/components/schemas/{model}")
    named = Named.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = {name: schema for name, schema in wanted["properties"].items() if name not in {"hotwords", "formats"}}
    definitions = {**wanted["$defs"], **named["$defs"]}
    form = {
        "type": "object",
        "properties": {
            FILE: {"type": "string", "format": "binary", "description": "the recording, of any kind that FFmpeg reads"},
            **parts,
            "hotwords": {
                "type": "array",
                "items": {"type": "string"},
                "description": wanted["properties"]["hotwords"]["description"],
            },
            "formats": {
                "type": "array",
                "items": definitions["Format"],
                "description": "files that the result has besides; several with commas too",
            },
        },
        "required": [FILE],
        "additionalProperties": False,
    }
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _resolved(form, definitions)},
            "application/json": {"schema": _resolved({k: v for k, v in named.items() if k != "$defs"}, definitions)},
        },
    }


def _resolved(schema: Any, definitions: dict[str, Any]) -> Any:
    """``schema`` without references: it stands outside of the document's components."""
    match schema:
        case {"$ref": str(reference), **rest}:
            return {**_resolved(definitions[reference.rpartition("/")[2]], definitions), **rest}
        case dict():
            return {name: _resolved(value, definitions) for name, value in schema.items()}
        case list():
            return [_resolved(value, definitions) for value in schema]
        case _:
            return schema


def submitting(gateway: Gateway, desk: Desk) -> APIRouter:
    """The route by which recordings come in."""
    router = APIRouter()

    @router.post(
        "/asr/submit",
        status_code=202,
        responses=problems(409, 413, 415),
        openapi_extra={"requestBody": _body()},
        summary="Hand in a recording",
    )
    async def submit(
        request: Request,
        response: Response,
        idempotency_key: Annotated[
            str, Header(description="the same key and recording give the same job", max_length=255, pattern=r"^[\x21-\x7e ]*$")
        ] = "",
    ) -> Submitted:
        """Queue a recording: as `audio` of a form, or by its `url` where that is allowed. Answers before it is transcribed."""
        async with lingering(request) as incoming:
            job = await _submit(gateway, desk, incoming, idempotency_key)
        response.headers["Location"] = f"/api/v1/asr/result/{job.job_id}"
        return Submitted(task_id=job.job_id, status=job.status, position=await desk.store.position(job.job_id))

    return router


async def _submit(gateway: Gateway, desk: Desk, request: Request, idempotency_key: str) -> Job:
    address = address_of(request)
    principal = gateway.identify(request.headers, address)
    async with desk.intake.receiving(principal, address):
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            document = await desk.reception.document(request)
            with gateway.readers.of(address):
                named = from_json(document)
            asked = wish(named, desk, principal.tenant)
            stored = await fetch(desk, named.url, named.name)
        elif kind == "multipart/form-data":
            stored, asked = await _form(desk, request, lambda wanted: wish(wanted, desk, principal.tenant))
        else:
            raise UnsupportedAudio("expected a form (multipart/form-data) with audio, or JSON with url, got another body")
        return await desk.intake.submit(
            principal, stored, asked, trace=trace_of(request.headers), idempotency_key=idempotency_key
        )


async def _form(desk: Desk, request: Request, read: Any) -> tuple[Stored, Wish]:
    form = await desk.reception.form(request, FILE)
    if form.file is None:
        raise InvalidOption(f"expected a recording in the field {FILE}, got none: send it as a file of a form")
    try:
        return form.file, read(from_fields(form.fields))
    except StarlingError:
        await desk.reception.discard(form.file)
        raise
