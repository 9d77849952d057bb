"""Every dialect of another server that Starling speaks."""

from __future__ import annotations

from typing import Final

from starling.protocols.dialects import Dialect

DIALECTS: Final[tuple[Dialect, ...]] = ()
