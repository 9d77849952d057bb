"""What a refused request is answered with."""

from __future__ import annotations

import math

from starlette.responses import JSONResponse

from starling.core.errors import Overloaded, StarlingError, Unauthenticated
from starling.protocols.dialects import plain_refusal


def refusal(error: StarlingError) -> JSONResponse:
    """The HTTP response that says ``error``."""
    return JSONResponse(dict(plain_refusal(error).body), error.http_status, advice(error))


def advice(error: StarlingError) -> dict[str, str]:
    """The headers by which any HTTP client knows what to do about ``error``."""
    headers = {}
    if isinstance(error, Overloaded):
        headers["Retry-After"] = str(math.ceil(error.retry_after))
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return headers
