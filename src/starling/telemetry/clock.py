"""The real clock, behind ``starling.core.ports.Clock``."""

from __future__ import annotations

import time


class SystemClock:
    """Seconds of the operating system's monotonic clock: never set back, no relation to the date."""

    def now(self) -> float:
        return time.monotonic()
