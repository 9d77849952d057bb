"""Plain HTTP beside the socket: may I come in, a ticket for a page, and what operators see and do. Never any speech."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse

from starling.core.audio import seconds
from starling.core.load import Priority
from starling.core.sessions import Standing
from starling.gateway.access import address_of
from starling.gateway.gateway import Gateway
from starling.gateway.life import Stage
from starling.gateway.seats import Seat


class ErrorBody(BaseModel):
    """Why a request was refused."""

    code: str = Field(description="stable name of the error")
    message: str = Field(description="for a person: what was expected, what came, what to do")
    retryable: bool = Field(description="whether the same may work later")


class Refusal(BaseModel):
    """The body of every refusal."""

    error: ErrorBody


class AdmissionView(BaseModel):
    """Who would be admitted."""

    tenant: str = Field(description="for whom the key speaks")


class Ticket(BaseModel):
    """What a page shows instead of an API key, as the subprotocol `ticket.TICKET`."""

    ticket: str
    expires_in: int = Field(description="seconds for which it is good")


class SessionView(BaseModel):
    """One session, without a word of what is said in it."""

    session_id: str
    tenant: str
    priority: Priority
    connected: datetime = Field(description="when its client connected, UTC")
    state: Stage = Field(description="`away` or `leaving` while it waits for a client that lost its connection")
    worker: str | None = Field(description="the recognizer that has it; null while none has")
    language: str = Field(description="that of its next segment, as a BCP 47 tag")
    audio_seconds: float = Field(description="audio that came in")
    lag_seconds: float = Field(description="of that: what nothing is settled of, the open segment included")
    backlog: int = Field(description="results that wait for its client to read them")


class SessionsView(BaseModel):
    """All sessions that are connected to this gateway."""

    sessions: list[SessionView]


REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Refusal, "description": "no API key, or none that is known here"},
    403: {"model": Refusal, "description": "this key, host or page may not do this"},
    429: {"model": Refusal, "description": "too much or too often; `Retry-After` says when to come again"},
    503: {"model": Refusal, "description": "no room, not ready, or about to end"},
}


def operations(gateway: Gateway) -> APIRouter:
    """The routes of ``gateway`` under ``/v1`` that are no sessions."""
    router = APIRouter(prefix="/v1", responses=REFUSALS)

    @router.get("/admission")
    async def admission(request: Request) -> AdmissionView:
        """Would a session be admitted now? A page that is refused a socket is not told why; here it is."""
        return AdmissionView(tenant=gateway.consider(request.headers, address_of(request)).tenant.name)

    @router.post("/tickets")
    async def ticket(request: Request) -> Ticket:
        """Get a ticket that stands for the API key of this request for a minute."""
        principal = gateway.identify(request.headers, address_of(request))
        issued, seconds = gateway.access.issue(principal)
        return Ticket(ticket=issued, expires_in=seconds)

    @router.get("/sessions")
    async def sessions(request: Request) -> SessionsView:
        """See every session. Needs the key of an operator."""
        gateway.identify_operator(request.headers, address_of(request))
        return SessionsView(sessions=[_view(seat, gateway.ports.standing(seat.session_id)) for seat in gateway.seats])

    @router.delete("/sessions/{session_id}", status_code=202, responses={404: {"model": Refusal}})
    async def dismiss(session_id: str, request: Request) -> JSONResponse:
        """End a session: its client gets what was heard, the reason, and the end. Needs the key of an operator."""
        operator = gateway.identify_operator(request.headers, address_of(request))
        if gateway.dismiss(session_id, operator):
            return JSONResponse({"session_id": session_id}, 202)
        body = ErrorBody(code="not_found", message="no session of this id is connected here: see /v1/sessions", retryable=False)
        return JSONResponse(Refusal(error=body).model_dump(), 404)

    return router


def _view(seat: Seat, standing: Standing | None) -> SessionView:
    return SessionView(
        session_id=seat.session_id,
        tenant=seat.principal.tenant.name,
        priority=seat.principal.tenant.priority,
        connected=seat.since,
        state=seat.session.stage,
        worker=None if standing is None else standing.worker,
        language=seat.session.language,
        audio_seconds=round(seat.session.heard, 3),
        lag_seconds=0.0 if standing is None else round(seconds(standing.staged), 3),
        backlog=seat.session.backlog,
    )
