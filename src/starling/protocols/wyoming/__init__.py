"""Wyoming, the protocol of Home Assistant's voice services, over plain TCP (``docs/protocols/wyoming.md``)."""

from __future__ import annotations

from typing import Final

from starling.protocols.dialects import Dialect
from starling.protocols.wyoming.adapter import WyomingAdapter
from starling.protocols.wyoming.events import body_of

WYOMING: Final = Dialect(name="wyoming", adapter=WyomingAdapter, port=10300, body=body_of)
