"""Whose bytes are being read: HTTP heads, WebSocket frames, JSON, gRPC's messages. Native code parses them, for all in turn.

Whoever's bytes were being read when a gateway failed, twice, is not read a third time: connections from there are dropped as they
open, for ten minutes. Only of addresses that are anybody's own in the public internet: behind a private one there is likely a
proxy, and behind that everybody.

Compressed audio is unpacked by libraries, too, and named apart: whoever ended two gateways by it may still send PCM.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Final

from starling.core.audio import Encoding
from starling.core.errors import Quarantined
from starling.core.ports import Witness, Work
from starling.gateway.access import network
from starling.gateway.intake import PACKED

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


def unpacking(witness: Witness | None, place: str, encoding: Encoding) -> Callable[[], AbstractContextManager[None]]:
    """What is entered for as long as audio in ``encoding`` from the network ``place`` is unpacked.

    Raises Quarantined for compressed audio from where some ended two gateways.
    """
    if witness is None:
        return nullcontext
    whose = f"network {place}"
    if encoding in PACKED and whose in witness.suspects():
        raise Quarantined("compressed audio from your address ended this server twice; send PCM, or come again in ten minutes")
    return partial(witness.watch, Work.UNPACK, [whose])


def is_public(address: str) -> bool:
    """Whether ``address`` is somebody's in the public internet."""
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _name(address: str) -> str:
    return f"reader {network(address)}"
