"""Says why a frame is refused, in the terms of the protocol instead of those of the JSON library."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

import msgspec

from starling.core.audio import Encoding
from starling.core.config import Quality, VadMode
from starling.core.errors import ClientError, InvalidMessage, InvalidOption, UnsupportedAudio

MESSAGE_TYPES: Final = ("start", "resume", "configure", "set_langs", "finalize", "keepalive", "end")
_CHOICES: Final[dict[str, type[StrEnum]]] = {"vad": VadMode, "quality": Quality}

QUOTE_LIMIT: Final = 60
"""Characters of a client's text that an error gives back."""

_QUOTED = re.compile(r"'(.*)'", re.DOTALL)
_PLACE = re.compile(r"^(?P<what>.*) - at `\$\.(?P<path>[^`]*)`$", re.DOTALL)


_UNKNOWN = re.compile(r"^Object contains unknown field '(?P<name>.*)'$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field '(?P<name>.*)'$", re.DOTALL)
_WRONG_KIND = re.compile(r"^Expected '(?P<expected>[^']*)'(, got '(?P<got>[^']*)')?$")

_NOUNS: Final = {
    "object": "an object",
    "array": "a list",
    "str": "a string",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "null": "null",
}
_GOT: Final = _NOUNS | {"float": "a number that is not whole"}


def refusal(error: ValueError | RecursionError, fields_at: Callable[[str], Sequence[str]] = lambda _: ()) -> ClientError:
    """The error to answer a frame with whose decoding raised ``error``.

    ``fields_at``: the fields that the object at a path may have; the path of the frame itself is empty.
    """
    if not isinstance(error, msgspec.ValidationError):
        return InvalidMessage(f"expected one JSON object in a text frame, got malformed JSON ({error})")
    place = _PLACE.match(str(error))
    what, path = (place["what"], place["path"]) if place else (str(error), "")
    what = _QUOTED.sub(lambda quoted: f"'{_cut(quoted[1])}'", what.replace("`", "'"))
    if what.startswith("Invalid value") and path == "type":
        return InvalidMessage(f"unknown message type: expected one of {', '.join(MESSAGE_TYPES)}, got {what.split(' ', 2)[2]}")
    if what.startswith("Invalid enum value"):
        return _bad_choice(path, what.removeprefix("Invalid enum value "))
    return InvalidMessage(_in_our_words(what, path, fields_at))


def _in_our_words(what: str, path: str, fields_at: Callable[[str], Sequence[str]]) -> str:
    place = path or "the message"
    if found := _UNKNOWN.match(what):
        name, known = found["name"], fields_at(path)
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "leave it out"
        return f"expected of {place} no fields but {', '.join(known) or 'type'}, got unknown field '{name}': {hint}"
    if found := _MISSING.match(what):
        return f"expected a field '{found['name']}' in {place}, got none: add it"
    if found := _WRONG_KIND.match(what):
        expected = " or ".join(_NOUNS.get(kind, kind) for kind in found["expected"].split(" | "))
        got = _GOT.get(found["got"], "something else")
        advice = ": leave the field out for its default" if found["got"] == "null" else ""
        example = ' such as {"type":"start"}' if not path and found["expected"] == "object" else ""
        return f"expected {expected}{example} as {place}, got {got}{advice}"
    return f"{place}: {what}"


def _bad_choice(path: str, got: str) -> ClientError:
    if path == "audio.encoding":
        return UnsupportedAudio(f"{path} must be one of {', '.join(Encoding)}, got {got}")
    return InvalidOption(f"{path} must be one of {', '.join(_CHOICES[path])}, got {got}")


def _cut(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:QUOTE_LIMIT])
    return shown if len(text) <= QUOTE_LIMIT else f"{shown}..."
