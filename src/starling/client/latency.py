"""How soon captions come, as the listener meets it: measured against audio that is sent in real time."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from starling.protocols.native.messages import Result

KEPT = 1000
"""Measurements kept of each kind; an all-day session forgets the oldest half when they are reached."""


class Latency:
    """Compares each result's moment of arrival with the moment its audio was spoken.

    Make it when the first sample is spoken: position p of the session is then spoken p seconds later.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._began = now()
        self._newest = -1
        self._first: list[float] = []
        self._partial: list[float] = []
        self._final: list[float] = []

    def update(self, result: Result) -> None:
        """Take in a result that has just arrived."""
        at = self._now() - self._began
        if not result.text:
            return
        if result.segment_id > self._newest:
            self._newest = result.segment_id
            _keep(self._first, at - result.start)
        _keep(self._final if result.is_final else self._partial, at - result.end)

    def summary(self, endpoint_silence: float) -> str:
        """One line of medians in seconds. ``endpoint_silence``: how long of a final's wait is for the end to be sure."""
        parts = []
        if self._first:
            parts.append(f"first words {median(self._first):.2f} s after speech starts")
        if self._partial:
            parts.append(f"partials {median(self._partial):.2f} s behind the voice")
        if self._final:
            parts.append(f"finals {median(self._final):.2f} s after speech ends (it takes {endpoint_silence:g} s of silence)")
        return "latency (median): " + (", ".join(parts) if parts else "nothing was said")


def _keep(values: list[float], value: float) -> None:
    values.append(value)
    if len(values) > KEPT:
        del values[: KEPT // 2]
