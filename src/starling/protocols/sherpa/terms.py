"""What of sherpa-onnx's protocols is spoken here."""

from __future__ import annotations

from typing import Final

from starling.protocols.conformance import ignored, refused, supported

ONLINE: Final = {
    "binary": supported("32-bit float samples, little endian, one channel, 16 kHz, cut anywhere"),
    "`Done`": supported("the last result with `is_eof`, then `Done!`, then the close"),
    "other text": ignored("as there"),
}
"""Messages to the streaming server."""

OFFLINE: Final = {
    "binary": supported(
        "a file is its sample rate and its size in bytes (32-bit, little endian), then 32-bit float samples, cut anywhere"
    ),
    "several files": supported("one after the other; each gets one JSON reply, in order"),
    "`Done`": supported("the close, with 1000"),
    "other text": refused("1008; there the close is 1000"),
}
"""Messages to the server for files."""
