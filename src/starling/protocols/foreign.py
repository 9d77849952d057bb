"""What the dialects of other servers have in common: how a request begins, and all that none of them knows."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from starling.core.audio import SAMPLE_RATES, Encoding
from starling.core.errors import InvalidMessage, InvalidOption, StarlingError, UnsupportedAudio
from starling.core.hotwords import MAX_BYTES, MAX_HOTWORDS, MAX_PHRASE, WEIGHT_RANGE, HotWord
from starling.protocols.verbs import Frame, Opened, OpenRequest, Verb, plain_closing

MAGIC: Final = 4
"""Bytes that tell containers apart."""

CONTAINERS: Final[Mapping[bytes, Encoding]] = {
    b"RIFF": Encoding.WAV,
    b"OggS": Encoding.OGG_OPUS,
    b"fLaC": Encoding.FLAC,
    b"\x1a\x45\xdf\xa3": Encoding.WEBM_OPUS,
}
"""What is in a container that begins so: for dialects that do not say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The request that a client begins with.

    ``query``: decoded, in order; repeated names stay repeated. ``headers``: by their names in lower case. ``subprotocols``: as
    offered. ``trace_id``: of the first session on the connection, 32 hexadecimal digits (W3C Trace Context).
    """

    path: str = "/"
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    subprotocols: tuple[str, ...] = field(default=(), repr=False)
    trace_id: str = "0" * 32


class ForeignAdapter:
    """The verbs of ``verbs.Adapter`` that most dialects do without: nobody comes back, no audio is acknowledged."""

    @property
    def forgives(self) -> bool:
        return False

    @property
    def lasts(self) -> bool:
        return False

    def connected(self) -> Sequence[Verb]:
        return ()

    def opened(self, session: Opened) -> Sequence[Frame]:
        del session
        return ()

    def resumed(self, session: Opened, request: OpenRequest, received: int, *, ended: bool) -> Sequence[Frame]:
        raise NotImplementedError  # no dialect has the verb Resume

    def acknowledged(self, received: int) -> Sequence[Frame]:
        del received
        return ()

    def closing(self, verdict: type[StarlingError] | None) -> tuple[int, str]:
        return plain_closing(verdict)


def authorization(head: Head) -> str | None:
    """The key in the header ``Authorization``: after ``Bearer``, or as the password of ``Basic``.

    The latter is what WebSocket libraries make of ``ws://anybody:KEY@host``: a client whose protocol knows no keys shows one so.
    """
    scheme, _, value = head.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                return b64decode(value, validate=True).decode().partition(":")[2]
            except (NotBase64, UnicodeDecodeError):
                return None
        case _:
            return None


def json_object(text: str) -> dict[str, Any]:
    """The JSON object in ``text``. Raises InvalidMessage for anything else."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (ValueError, RecursionError):
        raise InvalidMessage("expected one JSON object in a text frame, got something else") from None


def json_frame(message: Mapping[str, Any]) -> str:
    """``message`` as a text frame."""
    return msgspec.json.encode(message).decode()


def sample_rate(value: object) -> int:
    """``value`` as a rate that can be decoded. Raises UnsupportedAudio."""
    low, high = SAMPLE_RATES
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high or value % 1:
        raise UnsupportedAudio(f"the sample rate must be a whole number between {low} and {high} Hz, got another value")
    return int(value)


def expected(phrases: Iterable[str | tuple[str, float]]) -> tuple[HotWord, ...]:
    """``phrases``, with weights or without, as hot words, as many as a session may have.

    Other servers take anything here: what can be no hot word is left out, and a phrase that is too long counts as its words.
    """
    found: dict[str, HotWord] = {}
    room = MAX_BYTES
    for entry in phrases:
        phrase, weight = entry if isinstance(entry, tuple) else (entry, 1.0)
        for piece in [phrase] if len(phrase) <= MAX_PHRASE else phrase.split():
            try:
                word = HotWord(piece, min(max(weight, WEIGHT_RANGE[0]), WEIGHT_RANGE[1]))
            except InvalidOption:
                continue
            if len(found) == MAX_HOTWORDS or len(word.phrase.encode()) > room:
                return tuple(found.values())
            if word.phrase not in found:
                room -= len(word.phrase.encode())
                found[word.phrase] = word
    return tuple(found.values())
