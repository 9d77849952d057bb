"""What of Wyoming is spoken here."""

from __future__ import annotations

from typing import Final

from starling.protocols.conformance import ignored, supported

MESSAGES: Final = {
    "`describe`": supported("answered with `info`, also in the midst of an utterance, and by a server that is full"),
    "`transcribe`": supported("options of the next utterance; after it they are the server's own again"),
    "`audio-start`": supported("says what `audio-chunk`s that do not say it themselves contain"),
    "`audio-chunk`": supported("8000 to 96000 Hz, `width` 1 to 4 (signed), 1 to 8 channels, the same up to `audio-stop`"),
    "`audio-stop`": supported("answered with `transcript`, empty if there was no audio; then the next utterance may follow"),
    "`ping`": supported("answered with `pong`"),
    "any other": ignored("as the protocol wants it; `select-program` has one program to select"),
}
"""Events of a client."""

TRANSCRIBE: Final = {
    "language": supported("one that is spoken here, see `info`; `en-GB` is served by `en`, an unknown one is an `error`"),
    "transcript_names": supported("preferred where the sound allows it, and first where there are too many"),
    "transcript_terms": supported("preferred where the sound allows it"),
    "name": ignored("there is one model"),
    "context": ignored("nothing is taken from one utterance into the next"),
    "vad_sensitivity": ignored("`info` says that the client finds the end of a command (`requires_external_vad`)"),
}
"""Fields of ``transcribe``."""
