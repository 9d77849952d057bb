"""The protocols of FunASR's WebSocket servers: 2pass, and realtime with START and STOP (``docs/protocols/funasr.md``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starling.protocols.dialects import Dialect
from starling.protocols.funasr.adapter import FunasrAdapter

SUBPROTOCOL: Final = "binary"


def _agreed(offered: Sequence[str]) -> str | None:
    return SUBPROTOCOL if SUBPROTOCOL in offered else None


FUNASR: Final = Dialect(name="funasr", adapter=FunasrAdapter, port=10095, subprotocol=_agreed)
