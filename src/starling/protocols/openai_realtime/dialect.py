"""What the server needs to know before a client of OpenAI's Realtime protocol speaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starling.core.errors import StarlingError
from starling.protocols.dialects import Dialect, Refusal
from starling.protocols.openai_realtime.adapter import OpenAIRealtimeAdapter
from starling.protocols.openai_realtime.presenter import error_object
from starling.protocols.openai_realtime.secrets import shown

IDLE: Final = 1800.0
"""Seconds: a client that commits by hand may have nothing to say for long, and knows no keepalive."""

SUBPROTOCOL: Final = "realtime"


def agreed(subprotocols: Sequence[str]) -> str | None:
    """The one that a browser offers beside its key."""
    return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None


def refusal(error: StarlingError) -> Refusal:
    """As the other server refuses."""
    shape = error_object(error)
    return Refusal({"error": {name: shape[name] for name in ("message", "type", "param", "code")}})


OPENAI_REALTIME: Final = Dialect(
    name="openai-realtime",
    adapter=OpenAIRealtimeAdapter,
    paths=("/v1/realtime",),
    credential=shown,
    has_keys=True,
    has_secrets=True,
    subprotocol=agreed,
    refusal=refusal,
    idle_timeout=IDLE,
)
