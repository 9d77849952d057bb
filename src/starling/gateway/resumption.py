"""Which client may come back to which session. Tokens are known by their digests only: nobody can read one here."""

from __future__ import annotations

import hashlib
import secrets
from typing import Generic, TypeVar

from starling.core.errors import NotResumable

Session = TypeVar("Session")


def new_token() -> str:
    """256 bits from the system's source of randomness: nobody guesses one."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """SHA-256 of ``token``, 32 bytes. A token is random, so it needs neither salt nor a slow hash."""
    return hashlib.sha256(token.encode()).digest()


class Resumables(Generic[Session]):
    """Sessions by the digests of their tokens. How long a lookup takes tells of digests, from which no token follows."""

    def __init__(self) -> None:
        self._sessions: dict[bytes, Session] = {}

    def add(self, token_digest: bytes, session: Session) -> None:
        """Let the holder of the token come back to ``session``."""
        self._sessions[token_digest] = session

    def discard(self, token_digest: bytes) -> None:
        """Nobody comes back with that token any more."""
        self._sessions.pop(token_digest, None)

    def __contains__(self, token: str) -> bool:
        return digest(token) in self._sessions

    def find(self, token: str) -> Session:
        """The session of ``token``. Raises NotResumable, the same for one that never was and one that expired."""
        session = self._sessions.get(digest(token))
        if session is None:
            raise not_resumable()
        return session


def not_resumable() -> NotResumable:
    """The same for a token that never was and for one that expired."""
    return NotResumable(
        "no session waits for this token: it is over, its client stayed away for too long, or it cannot go on at this"
        " server; start a new one"
    )
