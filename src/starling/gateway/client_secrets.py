"""Client secrets over HTTP, for pages that speak OpenAI's Realtime protocol (``protocols/openai_realtime/secrets.py``)."""

from __future__ import annotations

import time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse

from starling.auth.client_secrets import USUAL_LIFETIME
from starling.core.errors import Forbidden, FrameTooLarge, StarlingError
from starling.core.tracing import trace_of
from starling.gateway.access import address_of
from starling.gateway.foreign import head_of, refused
from starling.gateway.gateway import Gateway
from starling.protocols.dialects import Dialect
from starling.protocols.openai_realtime.presenter import session_object
from starling.protocols.openai_realtime.secrets import secret_request


def client_secrets(gateway: Gateway, dialect: Dialect) -> APIRouter:
    """The route that issues secrets for ``dialect``; refusals are in its shape."""
    router = APIRouter()

    @router.post("/v1/realtime/client_secrets", include_in_schema=False)
    async def create(request: Request) -> JSONResponse:
        try:
            return await _create(gateway, dialect, request)
        except StarlingError as error:
            return refused(dialect, error)

    return router


async def _create(gateway: Gateway, dialect: Dialect, request: Request) -> JSONResponse:
    head = head_of(request, trace_of(request.headers).trace_id)
    principal, offer = gateway.offer_to(dialect, head, address_of(request))
    if principal.by_ticket:
        raise Forbidden("a client secret gets no other: ask for one with the API key")
    asked, session = secret_request(await _body(request, gateway.options.max_frame_bytes), offer)
    lifetime = USUAL_LIFETIME if asked.lifetime is None else asked.lifetime
    value = gateway.access.issue_secret(principal, asked.note, lifetime)
    return JSONResponse(
        {"value": value, "expires_at": int(time.time()) + lifetime, "session": session_object(session, head.trace_id)}
    )


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise FrameTooLarge(f"a request may have {limit} bytes")
    return bytes(body)
