"""A gateway whose codec has a hole."""

from __future__ import annotations

import ctypes

from starling.app.child import run_template
from starling.app.gateway_process import load_edge, serve
from starling.audio import AudioDecoder
from starling.core.audio import Samples

DEADLY = b"deadly"

_feed = AudioDecoder.feed


def feed(decoder: AudioDecoder, data: bytes) -> Samples:
    """Dies as native code does: at once, and without a word."""
    if DEADLY in data:
        ctypes.string_at(0)
    return _feed(decoder, data)


if __name__ == "__main__":
    AudioDecoder.feed = feed  # type: ignore[method-assign, assignment]
    run_template(load_edge, serve)
