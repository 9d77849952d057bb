"""How a callback's receiver knows who speaks: an HMAC of time and body. Pure.

``Starling-Signature: t=UNIX,v1=HEX``; HEX is HMAC-SHA256 by the secret over ``UNIX.BODY``. The time is signed too, so that an old
message cannot be sent again later: receivers refuse what is older than some minutes.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

HEADER: Final = "Starling-Signature"


def signature(secret: str, body: bytes, at: int) -> str:
    """The header's value for ``body``, sent ``at`` Unix seconds."""
    digest = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def verified(secret: str, body: bytes, header: str, *, now: float, tolerance: float = 300.0) -> bool:
    """Whether ``header`` came with ``body`` from who knows ``secret``, at most ``tolerance`` seconds ago."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    if not parts.get("t", "").isdecimal():
        return False
    at = int(parts["t"][:12])
    return abs(now - at) <= tolerance and hmac.compare_digest(signature(secret, body, at), header)
