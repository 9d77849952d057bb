"""What a store of jobs allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KEPT_DAYS: Final = 7
"""How long the account of a day is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """``max_attempts``: a job that was claimed so often without an end has failed. ``max_queued``: jobs of a tenant that wait."""

    max_attempts: int = 3
    max_queued: int = 1000
