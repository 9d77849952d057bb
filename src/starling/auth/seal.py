"""The seal: what a gateway signs with that it gives out for some minutes, and knows again (HMAC-SHA-256, RFC 2104).

Gateways of one platform have the same root, so each knows what another one signed. Nothing is kept of what is signed, and a new
root makes all of it void.
"""

from __future__ import annotations

import hmac
import secrets
from enum import StrEnum
from typing import Final

ROOT: Final = 32
"""Bytes of a root."""


class Purpose(StrEnum):
    """What is signed; nothing that was signed for one purpose is good for another."""

    TICKET = "ticket"
    SECRET = "client secret"  # noqa: S105 - a name
    PASS = "pass"  # noqa: S105 - a name


def new_root() -> bytes:
    """One that nobody can guess."""
    return secrets.token_bytes(ROOT)


class Seal:
    """``root``: what it signs with from now on; may be replaced."""

    def __init__(self, root: bytes | None = None) -> None:
        self.root = new_root() if root is None else root

    def sign(self, purpose: Purpose, *words: str) -> str:
        """The signature under ``words``, none of which but the last has a line's end in it: 64 hexadecimal digits."""
        return hmac.new(self.root, "\n".join((purpose, *words)).encode(), "sha256").hexdigest()

    def made(self, signature: str, purpose: Purpose, *words: str) -> bool:
        """Whether ``signature`` is the one under ``words``."""
        return hmac.compare_digest(self.sign(purpose, *words).encode(), signature.encode())
