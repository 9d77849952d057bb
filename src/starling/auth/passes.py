"""Passes: what lets a browser's player fetch one recording without the API key, which it could send in no header.

A pass names its key and its own end, and is signed (``seal.py``) together with the recording it is for. It opens nothing else.
Nothing is kept of it.
"""

from __future__ import annotations

from typing import Final

from starling.auth.seal import Purpose, Seal
from starling.core.errors import Unauthenticated

LIFETIME: Final = 3600
"""Seconds: a player fetches pieces of a recording for as long as it is listened to."""

MAX_LENGTH: Final = 256


class PassOffice:
    """Issues passes and takes them back. ``now``, here and below: seconds since 1970, which all gateways know."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def issue(self, key_id: str, recording: str, now: float) -> str:
        """A pass to ``recording`` for the key called ``key_id``."""
        body = f"{key_id}.{int(now) + LIFETIME}"
        return f"{body}.{self._seal.sign(Purpose.PASS, body, recording)}"

    def redeem(self, passed: str, recording: str, now: float) -> str:
        """The id of the key that ``passed`` stands for. Raises Unauthenticated, also for a pass to another recording."""
        body, _, signature = passed[:MAX_LENGTH].rpartition(".")
        if not self._seal.made(signature, Purpose.PASS, body, recording):
            raise Unauthenticated("this pass is not for this recording, or older than the server's last start: get another")
        key_id, _, end = body.partition(".")
        if now >= int(end):
            raise Unauthenticated(f"this pass is over: one is good for {LIFETIME} seconds; get another")
        return key_id
