"""What is written down of a session, so that its client may come back: here, or at a gateway that comes after this one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, Self, TypeVar

from starling.core.audio import WaveLayout
from starling.core.load import Priority
from starling.core.ports import SessionDirectory
from starling.core.sessions import Attachment, SessionEntry
from starling.core.tracing import SpanContext
from starling.gateway.resumption import Resumables, digest, new_token
from starling.protocols.verbs import OpenRequest

Session = TypeVar("Session")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose session it is. ``trace_id``: 32 hexadecimal digits (W3C Trace Context). ``span``: its own, where it is recorded."""

    session_id: str
    trace_id: str
    tenant: str = ""
    priority: Priority = Priority.NORMAL
    span: SpanContext | None = None

    @classmethod
    def of(cls, entry: SessionEntry) -> Self:
        """That of a session which another gateway had."""
        return cls(
            session_id=entry.session_id,
            trace_id=entry.trace_id,
            tenant=entry.tenant,
            priority=entry.priority,
            span=entry.span,
        )


class Listing(Generic[Session]):
    """The entry of one session in the directory, and among those that clients find here; none until ``add`` or ``adopt``."""

    def __init__(self, identity: Identity, directory: SessionDirectory, resumables: Resumables[Session]) -> None:
        self._identity = identity
        self._directory = directory
        self._resumables = resumables
        self._entry: SessionEntry | None = None

    @property
    def listed(self) -> bool:
        """Whether its client may come back."""
        return self._entry is not None

    async def add(self, session: Session, request: OpenRequest, opened: float) -> str:
        """From now on the client of ``session`` may come back with the token that this returns. ``opened``: Unix time."""
        token, identity = new_token(), self._identity
        self._resumables.add(digest(token), session)
        await self._write(
            SessionEntry(
                session_id=identity.session_id,
                trace_id=identity.trace_id,
                token_digest=digest(token),
                audio=request.audio,
                config=request.config,
                opened=opened,
                tenant=identity.tenant,
                priority=identity.priority,
                client_ref=request.client_ref,
                span=identity.span,
            )
        )
        return token

    def adopt(self, session: Session, entry: SessionEntry) -> None:
        """The same for ``session``, which another gateway listed as ``entry``."""
        self._entry = entry
        self._resumables.add(entry.token_digest, session)

    async def lay_out(self, wave: WaveLayout) -> None:
        """The header of audio in WAV was read."""
        if self._entry is not None:
            await self._write(replace(self._entry, wave=wave))

    async def note(self, state: Attachment, request: OpenRequest) -> None:
        """The client comes or goes; ``request``: what the session is by now."""
        if self._entry is not None:
            await self._write(replace(self._entry, state=state, config=request.config))

    def close(self) -> None:
        """Nobody comes back here any more."""
        if self._entry is not None:
            self._resumables.discard(self._entry.token_digest)

    async def owned(self) -> bool:
        """Whether it is this gateway's to clear away."""
        return self._entry is None or await self._directory.holds(self._identity.session_id)

    async def _write(self, entry: SessionEntry) -> None:
        self._entry = entry
        await self._directory.put(entry)
