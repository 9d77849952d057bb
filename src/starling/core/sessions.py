"""What is known of a session outside it: written down for another gateway to go on with, or looked up for operators."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from starling.core.audio import AudioFormat, WaveLayout
from starling.core.config import SessionConfig
from starling.core.load import Priority
from starling.core.tracing import SpanContext


class Attachment(StrEnum):
    """Whether a session's client is there."""

    ATTACHED = "attached"
    DETACHED = "detached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where recognition of a session stands. ``worker``: the recognizer that has it, None while none has.

    ``staged``: samples on the log that nothing is settled of: the open segment's, and those not taken yet.
    """

    worker: str | None
    staged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEntry:
    """One session.

    ``tenant``: who pays for it, empty in open mode. ``token_digest``: SHA-256 of the token that its client comes back with (32
    bytes), empty if it cannot. ``config``: the options of the next segment. ``opened``: Unix time, in seconds.
    ``client_ref``: the client's own name for it. ``wave``: what the header of audio in WAV said, once it was read.
    ``span``: the session's, where it is recorded.
    """

    session_id: str
    trace_id: str
    token_digest: bytes
    audio: AudioFormat
    config: SessionConfig
    opened: float
    tenant: str = ""
    priority: Priority = Priority.NORMAL
    client_ref: str | None = None
    wave: WaveLayout | None = None
    span: SpanContext | None = None
    state: Attachment = Attachment.ATTACHED
