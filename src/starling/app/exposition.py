"""The metrics of several processes on one page: each leaves its own on its sheet when it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from starling.core.ports import Clock
from starling.supervisor.sheets import Sheets
from starling.telemetry.exposition import merged

PATIENCE: Final = 0.5
"""Seconds that other processes get to show their metrics; those that are busy for longer are left out."""

LOOK: Final = 0.01
"""Seconds between two looks whether they have."""


async def everybodys_metrics(sheets: Sheets, asked: Mapping[str, int], own: Mapping[str, bytes], clock: Clock) -> bytes:
    """One page of ``own``, by the name of their process, and of those ``asked``, by the number of their sheets."""
    number, waiting, pages = sheets.ask(), dict(asked), dict(own)
    until = clock.now() + PATIENCE
    while waiting and clock.now() < until:
        await asyncio.sleep(LOOK)
        for name, sheet in list(waiting.items()):
            if (page := sheets.answered(sheet, number)) is not None:
                pages[name] = page
                del waiting[name]
    return merged(dict(sorted(pages.items())))
