"""How long a test waits for what must come."""

from __future__ import annotations

import asyncio
from typing import Final

PATIENCE: Final = 600.0
"""Seconds. It ends a test that hangs, and must not end one on a machine that is slow and has other work."""

LEAVING: Final = 30.0
"""Seconds after which a task that was told to end has not heard it."""


async def nobody_left() -> None:
    """Wait until every other task has ended. Raises AssertionError for those that do not."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        ended, left = await asyncio.wait(others, timeout=LEAVING, return_when=asyncio.FIRST_COMPLETED)
        assert ended, f"tasks left behind: {left}"
