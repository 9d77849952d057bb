"""The protocol of vosk-server's WebSocket: one text frame for every frame of audio (``docs/protocols/vosk.md``)."""

from __future__ import annotations

from typing import Final

from starling.protocols.dialects import Dialect
from starling.protocols.vosk.adapter import VoskAdapter

VOSK: Final = Dialect(name="vosk", adapter=VoskAdapter, port=2700)
