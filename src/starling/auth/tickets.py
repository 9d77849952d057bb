"""Tickets: what stands for an API key for a minute, so that a page never holds the key itself.

A ticket names the key and its own end, and is signed (``seal.py``). Nothing is kept of it until it is used; that it is used once
is seen to by who has it redeemed (``core.ports.Notary``), by its number.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from starling.auth.seal import Purpose, Seal
from starling.core.errors import Unauthenticated

LIFETIME: Final = 60
"""Seconds."""

REMEMBERED: Final = 10 * LIFETIME
"""Seconds for which it is known of a ticket that it was used: more than clocks of gateways may differ."""

MAX_LENGTH: Final = 256


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A ticket for the key called ``key_id``. ``number``: no other ticket has it."""

    key_id: str
    number: str


class TicketOffice:
    """Issues tickets and takes them back. ``now``, here and below: seconds since 1970, which all gateways know."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def issue(self, key_id: str, now: float) -> tuple[str, int]:
        """A ticket for the key called ``key_id``, and for how many seconds it is good."""
        body = f"{secrets.token_hex(8)}.{key_id}.{int(now) + LIFETIME}"
        return f"{body}.{self._seal.sign(Purpose.TICKET, body)}", LIFETIME

    def redeem(self, ticket: str, now: float) -> Redeemed:
        """What ``ticket`` stands for. Raises Unauthenticated."""
        body, _, signature = ticket[:MAX_LENGTH].rpartition(".")
        if not self._seal.made(signature, Purpose.TICKET, body):
            raise Unauthenticated("this ticket is not one of this server, or it was issued before its last start: get another")
        number, key_id, end = body.split(".")
        if now >= int(end):
            raise Unauthenticated(f"this ticket is over: one is good for {LIFETIME} seconds; get another")
        return Redeemed(key_id, number)
