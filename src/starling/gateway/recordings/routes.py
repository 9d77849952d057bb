"""All routes of recorded audio."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Security
from fastapi.security import APIKeyHeader, HTTPBearer

from starling.gateway.gateway import Gateway
from starling.gateway.recordings.asking import asking
from starling.gateway.recordings.deepgram import PATH, deepgram
from starling.gateway.recordings.desk import Desk
from starling.gateway.recordings.events import following
from starling.gateway.recordings.knowing import knowing
from starling.gateway.recordings.openai import openai
from starling.gateway.recordings.playing import playing
from starling.gateway.recordings.statistics import living, watching
from starling.gateway.recordings.submitting import submitting

KEY = HTTPBearer(auto_error=False, description="an API key, where the server asks for one")
TOKEN = APIKeyHeader(
    name="Authorization", scheme_name="Deepgram", auto_error=False, description="`Token KEY` or `Bearer KEY`, with an API key"
)


def routes(gateway: Gateway, desk: Desk) -> Iterator[APIRouter]:
    """Starling's own API, OpenAI's, and Deepgram's where Deepgram is spoken."""
    own = APIRouter(prefix="/api/v1", tags=["recordings"])
    for part in (submitting, asking, playing, following, knowing):
        own.include_router(part(gateway, desk), dependencies=[Security(KEY)])
    if gateway.figures is not None:
        own.include_router(watching(gateway, desk, gateway.figures), dependencies=[Security(KEY)])
    own.include_router(living(gateway, desk))
    yield own
    yield _guarded(openai(gateway, desk), KEY)
    if any(PATH in spoken.dialect.paths for spoken in gateway.options.protocols):
        yield _guarded(deepgram(gateway, desk), TOKEN)


def _guarded(part: APIRouter, key: HTTPBearer | APIKeyHeader) -> APIRouter:
    """``part``, whose document says how a client shows its key."""
    router = APIRouter()
    router.include_router(part, dependencies=[Security(key)])
    return router
