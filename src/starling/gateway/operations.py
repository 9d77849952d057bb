"""Plain HTTP beside the socket: may I come in, a ticket for a page, and what operators see and do. Never any speech."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse

from starling.core.errors import NotFound, StarlingError, StoreUnavailable
from starling.core.load import Priority
from starling.gateway.access import address_of
from starling.gateway.gateway import Gateway
from starling.gateway.life import Stage
from starling.gateway.roll import LONGEST, Row


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

    gateway: str = Field(description="`instance` in the `/status` of the gateway where its client is")
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
    """Sessions that are connected to any gateway of this server, in the order they came."""

    sessions: list[SessionView]
    next: str | None = Field(description="`after` of the next page; null if this is the last")
    silent: list[str] = Field(description="gateways that did not answer; their sessions are missing")


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
    async def sessions(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=LONGEST, description="how many to show at most")] = LONGEST,
        after: Annotated[str, Query(max_length=200, description="`next` of the page before")] = "",
    ) -> SessionsView:
        """See sessions at all gateways of this server: with an operator's key everybody's, else those of the tenant."""
        overseer = gateway.identify_overseer(request.headers, address_of(request))
        page = await gateway.roll.page(overseer, most=limit, after=after)
        return SessionsView(sessions=[_view(row) for row in page.rows], next=page.more, silent=list(page.silent))

    @router.get("/sessions/{session_id}", responses={404: {"model": Refusal}})
    async def session(session_id: str, request: Request) -> SessionView:
        """See one session."""
        overseer = gateway.identify_overseer(request.headers, address_of(request))
        page = await gateway.roll.page(overseer, most=1, session_id=session_id)
        if not page.rows:
            raise _missing(page.silent)
        return _view(page.rows[0])

    @router.delete("/sessions/{session_id}", status_code=202, responses={404: {"model": Refusal}})
    async def dismiss(session_id: str, request: Request) -> JSONResponse:
        """End a session, at whatever gateway: its client gets what was heard, the reason, and the end."""
        overseer = gateway.identify_overseer(request.headers, address_of(request))
        ended = await gateway.roll.end(session_id, overseer)
        if not ended.found:
            raise _missing(ended.silent)
        return JSONResponse({"session_id": session_id}, 202)

    return router


def _missing(silent: Sequence[str]) -> StarlingError:
    """Why a session is not shown, or not ended."""
    if silent:
        return StoreUnavailable(f"no session of this id was found, but {', '.join(silent)} did not answer: try again in a moment")
    return NotFound("no session of this id is connected here: see /v1/sessions")


def _view(row: Row) -> SessionView:
    return SessionView(**msgspec.structs.asdict(row))
