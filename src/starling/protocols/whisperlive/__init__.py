"""The protocol of WhisperLive: every message has the last segments anew (``docs/protocols/whisperlive.md``)."""

from __future__ import annotations

from typing import Final

from starling.protocols.dialects import Dialect
from starling.protocols.whisperlive.adapter import WhisperLiveAdapter

WHISPERLIVE: Final = Dialect(name="whisperlive", adapter=WhisperLiveAdapter, port=9090, refuses_inside=True)
