"""A gateway whose codec has a hole, and whose parser of requests has another. Clients of this machine are strangers to it."""

from __future__ import annotations

import ctypes

from starling.app.child import run_template
from starling.app.gateway_process import load_edge, serve
from starling.audio import AudioDecoder
from starling.core.audio import Samples
from starling.gateway import readers
from starling.gateway.http_protocol import PatientHttpProtocol

DEADLY = b"deadly"

DEADLY_HEADER = b"x-deadly"

_feed = AudioDecoder.feed
_on_header = PatientHttpProtocol.on_header


def feed(decoder: AudioDecoder, data: bytes) -> Samples:
    """Dies as native code does: at once, and without a word."""
    if DEADLY in data:
        ctypes.string_at(0)
    return _feed(decoder, data)


def on_header(connection: PatientHttpProtocol, name: bytes, value: bytes) -> None:
    """Dies in the middle of a head."""
    if name.lower() == DEADLY_HEADER:
        ctypes.string_at(0)
    _on_header(connection, name, value)


if __name__ == "__main__":
    readers.is_public = lambda address: address != ""
    PatientHttpProtocol.on_header = on_header  # type: ignore[method-assign, assignment]
    AudioDecoder.feed = feed  # type: ignore[method-assign, assignment]
    run_template(load_edge, serve)
