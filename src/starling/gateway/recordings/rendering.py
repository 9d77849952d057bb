"""Long texts are written beside the event loop: live sessions must not wait while hours of words become JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from starling.core.jobs import JobSegment

T = TypeVar("T")

MANY: Final = 100
"""Segments that take a few milliseconds: fewer are not worth a thread."""


async def rendered(segments: Sequence[JobSegment], write: Callable[[], T]) -> T:
    """What ``write`` makes of ``segments``."""
    return write() if len(segments) <= MANY else await asyncio.to_thread(write)
