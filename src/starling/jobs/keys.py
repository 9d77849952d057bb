"""Keys of recordings, and what is said of those that are not there."""

from __future__ import annotations

import re
import secrets
from typing import Final

from starling.core.errors import FrameTooLarge, RecordingGone

KEY: Final = re.compile(r"[0-9a-f]{32}")
"""Nothing else is ever made a path of: there is no name to traverse with."""

PIECE: Final = 1 << 18
"""Bytes that are written, or read, at once."""


def new_key() -> str:
    """One that nobody can guess."""
    return secrets.token_hex(16)


def check_size(size: int, limit: int) -> None:
    """Raises FrameTooLarge past ``limit`` bytes."""
    if size > limit:
        raise FrameTooLarge(f"expected a recording of at most {limit} bytes, got more: send it in parts, or compressed")


def gone() -> RecordingGone:
    """What is raised for a key without a recording."""
    return RecordingGone("this recording is not kept any more: submit it again")
