"""Deepgram's API for recordings, on jobs of this server."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, ExitStack
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse

from starling.core.errors import InvalidMessage
from starling.core.jobs import Callback, JobOptions
from starling.core.load import Priority
from starling.core.tracing import trace_of
from starling.gateway.access import address_of
from starling.gateway.gateway import Gateway
from starling.gateway.recordings import deepgram_document as document
from starling.gateway.recordings.desk import Desk
from starling.gateway.recordings.fetching import fetch
from starling.gateway.recordings.intake import Wish
from starling.gateway.recordings.lingering import lingering
from starling.gateway.recordings.reception import Stored
from starling.gateway.recordings.rendering import rendered
from starling.gateway.recordings.waiting import outcome
from starling.protocols.deepgram.dialect import DEEPGRAM
from starling.protocols.deepgram.recorded import RecordedOptions, answer, recorded_options, request_id
from starling.protocols.warnings import warning_headers

PATH: Final = "/v1/listen"


def deepgram(gateway: Gateway, desk: Desk) -> APIRouter:
    """Its route."""
    router = APIRouter(tags=["Deepgram's API"])

    @router.post(
        PATH,
        response_model=document.Listened | document.Accepted,
        responses=document.REFUSALS,
        openapi_extra=document.LISTENING,
        summary="Transcribe a recording, and wait for it",
    )
    async def listen(request: Request) -> JSONResponse:
        """The text of the body, which is a recording or says where one is. With `callback` it is told later."""
        async with lingering(request) as incoming:
            return await _listen(gateway, desk, incoming)

    return router


async def _listen(gateway: Gateway, desk: Desk, request: Request) -> JSONResponse:
    address = address_of(request)
    principal = gateway.identify_foreigner(DEEPGRAM, request, address)
    with ExitStack() as held:
        async with desk.intake.receiving(principal, address):
            able = desk.offered(principal.tenant)
            asked = recorded_options(request.query_params.multi_items(), able, desk.defaults)
            callback = _callback(asked, desk)
            if callback is None:  # before there is a job, which nobody would wait for
                held.enter_context(desk.waiting.held(principal.tenant.name))
            stored = await _received(desk, request, gateway.readers.of(address))
            options = JobOptions(config=asked.config, channels=asked.channels, callback=callback)
            wish = Wish(options=options, priority=Priority.HIGH if callback is None else Priority.NORMAL)
            job = await desk.intake.submit(principal, stored, wish, trace=trace_of(request.headers))
        headers = {"dg-request-id": request_id(job.job_id)}
        if callback is not None:
            return JSONResponse({"request_id": request_id(job.job_id)}, headers=headers)
        done, segments = await outcome(desk, job, request)
    return await rendered(
        segments,
        lambda: JSONResponse(answer(done, segments, able, asked.shape), headers=headers | warning_headers(done.warnings)),
    )


def _callback(asked: RecordedOptions, desk: Desk) -> Callback | None:
    if not asked.callback:
        return None
    desk.intake.check_callback(asked.callback)
    return Callback(url=asked.callback, form=asked.shape.named())


async def _received(desk: Desk, request: Request, reading: AbstractContextManager[None]) -> Stored:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return await desk.reception.body(request)
    try:
        document = await desk.reception.document(request)
        with reading:
            given = json.loads(document)
    except (ValueError, RecursionError):
        given = None
    match given:
        case {"url": str(url)}:
            return await fetch(desk, url)
        case _:
            raise InvalidMessage('expected audio, or {"url": "..."} as JSON, got another body')
