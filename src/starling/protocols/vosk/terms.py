"""What of vosk-server's protocol is spoken here."""

from __future__ import annotations

from typing import Final

from starling.protocols.conformance import ignored, supported

CONFIG: Final = {
    "sample_rate": supported("8000 (the default, as there) to 96000; what comes after the first audio counts after a `reset`"),
    "words": supported("on unless told otherwise, as there"),
    "max_alternatives": supported("more than 0 asks for the shape with `alternatives`, of which there is one"),
    "phrase_list": supported(
        "the phrases are preferred where the sound allows it; it is no closed grammar: other words come too"
    ),
    "model": ignored("there is one model"),
}
"""Fields of ``config``. Others are ignored, as there."""

MESSAGES: Final = {
    '`{"config": {...}}`': supported("at any time; no answer, as there"),
    "binary": supported("16-bit PCM, one channel; exactly one text frame answers each"),
    '`{"eof": 1}`': supported("with any spacing: everything that was not said yet in one last result, then the close"),
    '`{"reset": 1}`': supported("the same, and the connection goes on; times go on too"),
}
"""Messages of a client. Any other ends the connection with 1008: the protocol knows no error message."""
