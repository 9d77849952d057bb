"""Whose bytes are being read: HTTP heads, WebSocket frames, JSON. Parsers in native code read them, for everybody in turn.

Whoever's bytes were being read when a gateway failed, twice, is not read a third time: connections from there are dropped as they
open, for ten minutes. Only of addresses that are anybody's own in the public internet: behind a private one there is likely a
proxy, and behind that everybody.
"""

from __future__ import annotations

import ipaddress
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from starling.core.ports import Witness
from starling.gateway.access import network

NOBODY: Final[AbstractContextManager[None]] = nullcontext()


class Readers:
    """``witness``: who remembers whose bytes are read; None remembers nothing."""

    def __init__(self, witness: Witness | None) -> None:
        self._witness = witness

    def of(self, address: str) -> AbstractContextManager[None]:
        """What is entered for as long as bytes from ``address`` are read, any number of times; nothing waits inside."""
        if self._witness is None or not is_public(address):
            return NOBODY
        return self._witness.reading(_name(address))

    def refuses(self, address: str) -> bool:
        """Whether bytes from ``address`` ended two gateways."""
        return self._witness is not None and is_public(address) and _name(address) in self._witness.suspects()


def is_public(address: str) -> bool:
    """Whether ``address`` is somebody's in the public internet."""
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _name(address: str) -> str:
    return f"reader {network(address)}"
