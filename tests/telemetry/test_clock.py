from __future__ import annotations

from starling.core.ports import Clock
from starling.telemetry.clock import SystemClock


def test_the_system_clock_never_goes_back() -> None:
    clock: Clock = SystemClock()
    readings = [clock.now() for _ in range(100)]
    assert readings == sorted(readings)
