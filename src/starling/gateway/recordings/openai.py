"""OpenAI's API for recordings, on jobs of this server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import ExitStack, aclosing
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from starling.core.errors import Forbidden, StarlingError
from starling.core.jobs import Job, JobOptions, JobSegment, JobWarning
from starling.core.load import Priority
from starling.core.tracing import trace_of
from starling.core.transcript import Transcript
from starling.gateway.access import address_of
from starling.gateway.gateway import Gateway
from starling.gateway.recordings import openai_document as document
from starling.gateway.recordings.desk import Desk, Step
from starling.gateway.recordings.event_streams import MEDIA_TYPE
from starling.gateway.recordings.formats import Format, by_time, written
from starling.gateway.recordings.intake import Wish
from starling.gateway.recordings.lingering import lingering
from starling.gateway.recordings.outflow import Outflow
from starling.gateway.recordings.rendering import rendered
from starling.gateway.recordings.views import duration_of
from starling.gateway.recordings.waiting import outcome, steps
from starling.protocols.openai_audio import presenter
from starling.protocols.openai_audio.errors import FieldRefused, error_body
from starling.protocols.openai_audio.request import Form, Transcription, check_model, known_models, transcription
from starling.protocols.warnings import warning_headers

FILE: Final = "file"
RELEASED: Final = 1_760_000_000
"""Unix seconds that models are said to be from: clients sort by it and want a number."""


def openai(gateway: Gateway, desk: Desk) -> APIRouter:
    """Its routes, under ``/v1``."""
    router = APIRouter(prefix="/v1", tags=["OpenAI's API"])

    @router.get("/models", response_model=document.Models, responses=document.refusals(), summary="What there is to ask for")
    async def models(request: Request) -> JSONResponse:
        gateway.identify(request.headers, address_of(request))
        return JSONResponse(presenter.models(known_models(gateway.ability.capabilities), RELEASED))

    @router.get(
        "/models/{name}", response_model=document.Model, responses=document.refusals(404, 422), summary="One of the models"
    )
    async def model(name: str, request: Request) -> JSONResponse:
        gateway.identify(request.headers, address_of(request))
        check_model(name, gateway.ability.capabilities)
        return JSONResponse(presenter.model(name, RELEASED))

    @router.post(
        "/audio/translations",
        status_code=403,
        response_model=document.OpenAIRefusal,
        responses=document.refusals(),
        openapi_extra=document.TRANSLATION,
        summary="Translate a recording: refused",
    )
    async def translations(request: Request) -> JSONResponse:
        """No model here translates, and this says so."""
        async with lingering(request):
            gateway.identify(request.headers, address_of(request))
            raise Forbidden("there is no model here that translates: POST /v1/audio/transcriptions, then translate the text")

    @router.post(
        "/audio/transcriptions",
        response_model=document.PlainTranscription | document.VerboseTranscription,
        responses={**document.refusals(400, 404, 408, 409, 410, 413, 415, 422), **document.TEXTS},
        openapi_extra=document.TRANSCRIPTION,
        summary="Transcribe a recording, and wait for it",
    )
    async def transcriptions(request: Request) -> Response:
        """The text of `file`, or server-sent events of it. A client that leaves takes its job with it."""
        async with lingering(request) as incoming:
            return await _transcribe(gateway, desk, incoming)

    return router


async def _transcribe(gateway: Gateway, desk: Desk, request: Request) -> Response:
    address = address_of(request)
    principal = gateway.identify(request.headers, address)
    with ExitStack() as held:
        async with desk.intake.receiving(principal, address):
            form = await desk.reception.form(request, FILE)
            if form.file is None:
                raise FieldRefused(FILE, f"expected a recording in the field {FILE}, got none: send it as a file of the form")
            try:
                asked = transcription(form.fields, desk.offered(principal.tenant), desk.defaults)
                held.enter_context(desk.waiting.held(principal.tenant.name))
            except StarlingError:
                await desk.reception.discard(form.file)
                raise
            wish = Wish(options=JobOptions(config=asked.config), priority=Priority.HIGH)
            job = await desk.intake.submit(principal, form.file, wish, trace=trace_of(request.headers))
        if asked.stream:
            return Outflow(
                _streamed(steps(desk, job)),
                idle=desk.options.idle_timeout,
                media_type=MEDIA_TYPE,
                headers={"X-Accel-Buffering": "no"},
                finished=held.pop_all().close,
            )
        done, segments = await outcome(desk, job, request)
    return await rendered(segments, lambda: _answer(asked, done, segments))


def _answer(asked: Transcription, job: Job, segments: Sequence[JobSegment]) -> Response:
    finals, duration, warnings = _finals(segments), duration_of(job), job.warnings
    headers = warning_headers(warnings)
    match asked.form:
        case Form.JSON:
            return JSONResponse(presenter.plain(finals, duration, warnings), headers=headers)
        case Form.VERBOSE:
            language = asked.config.language
            said = presenter.verbose(finals, duration, language, asked.granularities, warnings)
            return JSONResponse(said, headers=headers)
        case Form.TEXT:
            return PlainTextResponse(f"{presenter.text_of(finals)}\n", headers=headers)
        case Form.SRT:
            return PlainTextResponse(written(Format.SRT, segments), headers=headers)
        case Form.VTT:
            return Response(written(Format.VTT, segments), media_type="text/vtt; charset=utf-8", headers=headers)


async def _streamed(found: AsyncGenerator[Step]) -> AsyncIterator[bytes]:
    """Deltas as soon as they are known; what goes wrong is the last event."""
    stream = presenter.Stream()
    duration, warnings = 0.0, tuple[JobWarning, ...]()
    try:
        async with aclosing(found) as all_steps:
            async for step in all_steps:
                duration, warnings = duration_of(step.job), step.job.warnings
                for event in stream.add(_finals(step.segments)):
                    yield event
    except StarlingError as error:
        yield presenter.event(error_body(error.http_status, error.code, error.message, error))
        return
    yield stream.done(duration, warnings)


def _finals(segments: Sequence[JobSegment]) -> list[Transcript]:
    return [one.transcript for one in by_time(segments)]
