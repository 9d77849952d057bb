"""Client secrets: what stands for an API key for some minutes and says how the session shall be, for clients that are not trusted
with the key.

As tickets (``tickets.py``) they are signed (``seal.py``), and nothing is kept of them, so there may be any number. They differ in
who chooses how long they are good, in that they are good any number of times, and in a note that is signed with them.
"""

from __future__ import annotations

from typing import Final

from starling.auth.seal import Purpose, Seal
from starling.core.errors import InvalidOption, Unauthenticated

PREFIX: Final = "ek_"

LIFETIMES: Final = (10, 7200)
"""Seconds for which one is good: the fewest and the most."""

USUAL_LIFETIME: Final = 600

MAX_NOTE: Final = 6_000
"""Characters: proxies and servers take headers of 8 KiB."""

MAX_LENGTH: Final = MAX_NOTE + 256


class SecretOffice:
    """Issues secrets and takes them back. ``now``, here and below: seconds since 1970, which all gateways know."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def issue(self, key_id: str, note: str, lifetime: int, now: float) -> str:
        """A secret for the key called ``key_id``, good for ``lifetime`` seconds from ``now`` on.

        ``note``: without a dot. Raises InvalidOption for a lifetime that is none and a note that is too long.
        """
        low, high = LIFETIMES
        if not low <= lifetime <= high:
            raise InvalidOption(f"a client secret is good for {low} to {high} seconds, got {lifetime}")
        if len(note) > MAX_NOTE:
            raise InvalidOption("the session is too large for a client secret: give its keywords once it is there")
        body = f"{note}.{key_id}.{int(now) + lifetime}"
        return f"{PREFIX}{body}.{self._seal.sign(Purpose.SECRET, body)}"

    def redeem(self, secret: str, now: float) -> str:
        """The id of the key that ``secret`` stands for. Raises Unauthenticated."""
        body, _, signature = secret[:MAX_LENGTH].removeprefix(PREFIX).rpartition(".")
        if not self._seal.made(signature, Purpose.SECRET, body):
            raise Unauthenticated("this client secret is not one of this server, or older than its last start: get another")
        _, key_id, end = body.split(".")
        if now >= int(end):
            raise Unauthenticated("this client secret is over: get another")
        return key_id


def is_secret(token: str | None) -> bool:
    """Whether ``token`` looks like a client secret, and not like a key."""
    return token is not None and token.startswith(PREFIX)
