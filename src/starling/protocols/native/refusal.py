"""Says why a frame is refused, in the terms of the protocol instead of those of the JSON library."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from starling.core.audio import Encoding
from starling.core.config import VadMode
from starling.core.errors import ClientError, InvalidMessage, InvalidOption, UnsupportedAudio

MESSAGE_TYPES: Final = ("start", "configure", "set_langs", "finalize", "keepalive", "end")
QUOTE_LIMIT: Final = 60
"""Characters of a client's text that an error gives back."""

_QUOTED = re.compile(r"'(.*)'", re.DOTALL)
_PLACE = re.compile(r"^(?P<what>.*) - at `\$\.(?P<path>[^`]*)`$", re.DOTALL)


def refusal(error: ValueError | RecursionError) -> ClientError:
    """The error to answer a frame with whose decoding raised ``error``."""
    if not isinstance(error, msgspec.ValidationError):
        return InvalidMessage(f"expected one JSON object in a text frame, got malformed JSON ({error})")
    place = _PLACE.match(str(error))
    what, path = (place["what"], place["path"]) if place else (str(error), "")
    what = _QUOTED.sub(lambda quoted: f"'{_cut(quoted[1])}'", what.replace("`", "'"))
    if what.startswith("Invalid value") and path == "type":
        return InvalidMessage(f"unknown message type: expected one of {', '.join(MESSAGE_TYPES)}, got {what.split(' ', 2)[2]}")
    if what.startswith("Invalid enum value"):
        return _bad_choice(path, what.removeprefix("Invalid enum value "))
    return InvalidMessage(f"{path}: {what}" if path else what)


def _bad_choice(path: str, got: str) -> ClientError:
    if path == "audio.encoding":
        return UnsupportedAudio(f"{path} must be one of {', '.join(Encoding)}, got {got}")
    return InvalidOption(f"{path} must be one of {', '.join(VadMode)}, got {got}")


def _cut(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:QUOTE_LIMIT])
    return shown if len(text) <= QUOTE_LIMIT else f"{shown}..."
