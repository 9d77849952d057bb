"""Names of recordings: what clients call them, which no file here is ever called. Pure."""

from __future__ import annotations

import unicodedata
from typing import Final
from urllib.parse import quote

MAX_NAME: Final = 200
"""Characters."""

UNNAMED: Final = "recording"

PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._-()+,=@")
"""What may stand between quotes in a header without a meaning of its own."""


def shown(name: str) -> str:
    """``name`` for people: without a path, without what cannot be seen or turns text around, and not too long."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(letter for letter in unicodedata.normalize("NFC", last) if letter == " " or _visible(letter))
    return " ".join(kept.split())[:MAX_NAME].strip(". ") or UNNAMED


def attachment(name: str) -> str:
    """``Content-Disposition`` of a file to keep (RFC 6266): an ASCII name for all, the real one for who understands it."""
    said = shown(name)
    plain = "".join(letter if letter in PLAIN else "_" for letter in said)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(said, safe='')}"


def with_suffix(name: str, suffix: str) -> str:
    """``call.mp3`` as ``call.srt``."""
    stem, dot, _ = shown(name).rpartition(".")
    return f"{stem if dot and stem else shown(name)}.{suffix}"


def _visible(letter: str) -> bool:
    return letter.isprintable() and unicodedata.category(letter) not in {"Cf", "Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
