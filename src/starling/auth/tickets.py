"""Tickets: what stands for an API key for a minute, so that a page never holds the key itself.

A ticket names the key and its own end, signed with a secret that this process made and never tells (HMAC-SHA-256, RFC 2104).
Nothing is kept of it; all are void when the process ends.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from starling.core.errors import Unauthenticated

LIFETIME: Final = 60
"""Seconds."""

MAX_LENGTH: Final = 256


class TicketOffice:
    """Issues tickets and takes them back."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def issue(self, key_id: str, now: float) -> tuple[str, int]:
        """A ticket for the key called ``key_id``, and for how many seconds it is good. ``now``: monotonic seconds."""
        body = f"{key_id}.{int(now) + LIFETIME}"
        return f"{body}.{self._sign(body)}", LIFETIME

    def redeem(self, ticket: str, now: float) -> str:
        """The id of the key that ``ticket`` stands for. Raises Unauthenticated."""
        body, _, signature = ticket[:MAX_LENGTH].rpartition(".")
        if not hmac.compare_digest(self._sign(body).encode(), signature.encode()):
            raise Unauthenticated("this ticket is not one of this server, or it was issued before its last start: get another")
        key_id, _, end = body.partition(".")
        if now >= int(end):
            raise Unauthenticated(f"this ticket is over: one is good for {LIFETIME} seconds; get another")
        return key_id

    def _sign(self, body: str) -> str:
        return hmac.new(self._secret, body.encode(), "sha256").hexdigest()
