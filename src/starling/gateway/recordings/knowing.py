"""``GET /api/v1/me``: who a page is to this server, so that it shows what may be done and no more."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request

from starling.core.errors import Forbidden
from starling.gateway.access import address_of
from starling.gateway.gateway import Gateway
from starling.gateway.recordings.desk import Desk
from starling.gateway.recordings.problems import problems


class Me(BaseModel):
    """Who asks, and what it may hand in."""

    tenant: str = Field(description="for whom the key speaks")
    operator: bool = Field(description="whether it sees the jobs of all, and how the platform is")
    keys: bool = Field(description="whether this server asks for keys")
    max_bytes: int = Field(description="of one recording")
    max_duration: float = Field(description="seconds of one recording")


def knowing(gateway: Gateway, desk: Desk) -> APIRouter:
    """The route of who one is."""
    router = APIRouter()

    @router.get("/me", responses=problems(), summary="Who you are here")
    async def me(request: Request) -> Me:
        """Whose jobs you see, and how large recordings may be."""
        address = address_of(request)
        principal = gateway.identify(request.headers, address)
        try:
            gateway.identify_operator(request.headers, address)
        except Forbidden:
            operator = False
        else:
            operator = True
        return Me(
            tenant=principal.tenant.name,
            operator=operator,
            keys=not gateway.access.open,
            max_bytes=desk.options.max_bytes,
            max_duration=desk.options.max_duration,
        )

    return router
