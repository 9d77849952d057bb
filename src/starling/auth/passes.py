"""Passes: what lets a browser's player fetch one recording without the API key, which it could send in no header.

A pass names its key and its own end, and is signed together with the recording it is for by a secret that this process made and
never tells (HMAC-SHA-256, RFC 2104). It opens nothing else. Nothing is kept of it; all are void when the process ends.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final

from starling.core.errors import Unauthenticated

LIFETIME: Final = 3600
"""Seconds: a player fetches pieces of a recording for as long as it is listened to."""

MAX_LENGTH: Final = 256


class PassOffice:
    """Issues passes and takes them back."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def issue(self, key_id: str, recording: str, now: float) -> str:
        """A pass to ``recording`` for the key called ``key_id``. ``now``: monotonic seconds."""
        body = f"{key_id}.{int(now) + LIFETIME}"
        return f"{body}.{self._sign(body, recording)}"

    def redeem(self, passed: str, recording: str, now: float) -> str:
        """The id of the key that ``passed`` stands for. Raises Unauthenticated, also for a pass to another recording."""
        body, _, signature = passed[:MAX_LENGTH].rpartition(".")
        if not hmac.compare_digest(self._sign(body, recording).encode(), signature.encode()):
            raise Unauthenticated("this pass is not for this recording, or older than the server's last start: get another")
        key_id, _, end = body.partition(".")
        if now >= int(end):
            raise Unauthenticated(f"this pass is over: one is good for {LIFETIME} seconds; get another")
        return key_id

    def _sign(self, body: str, recording: str) -> str:
        return hmac.new(self._secret, f"{recording} {body}".encode(), "sha256").hexdigest()
