"""What the server needs to know before a Deepgram client speaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starling.core.errors import Forbidden, Overloaded, QuotaExceeded, StarlingError, Unauthenticated
from starling.protocols.deepgram.adapter import DeepgramAdapter
from starling.protocols.deepgram.presenter import request_id
from starling.protocols.dialects import Dialect, Refusal
from starling.protocols.foreign import Head

IDLE: Final = 10.0
"""Seconds without audio and text messages after which the connection is closed with NET-0001."""

SCHEMES: Final = ("token", "bearer")

CODES: Final[dict[type[StarlingError], str]] = {
    Unauthenticated: "INVALID_AUTH",
    Forbidden: "INSUFFICIENT_PERMISSIONS",
    QuotaExceeded: "TOO_MANY_REQUESTS",
    Overloaded: "SERVICE_UNAVAILABLE",
}


def credential(head: Head) -> str | None:
    """The key in ``Authorization: Token KEY`` or ``Bearer KEY``, or in the subprotocols that a browser offers: ``token, KEY``."""
    scheme, _, key = head.headers.get("authorization", "").partition(" ")
    if scheme.lower() in SCHEMES and key:
        return key.strip()
    match head.subprotocols:
        case [offered, key, *_] if offered.lower() in SCHEMES:
            return key
        case _:
            return None


def agreed(subprotocols: Sequence[str]) -> str | None:
    """The scheme that a browser offered, never its key."""
    return next((offered for offered in subprotocols[:1] if offered.lower() in SCHEMES), None)


def refusal(error: StarlingError) -> Refusal:
    """As the other server refuses."""
    code = CODES.get(type(error), "Bad Request" if error.http_status < 500 else "INTERNAL_SERVER_ERROR")  # noqa: PLR2004
    shown = error.message.encode("ascii", "replace").decode()
    return Refusal({"err_code": code, "err_msg": error.message}, {"dg-error": shown})


DEEPGRAM: Final = Dialect(
    name="deepgram",
    adapter=DeepgramAdapter,
    paths=("/v1/listen",),
    credential=credential,
    has_keys=True,
    subprotocol=agreed,
    accepted=lambda trace_id: {"dg-request-id": request_id(trace_id)},
    refusal=refusal,
    idle_timeout=IDLE,
)
