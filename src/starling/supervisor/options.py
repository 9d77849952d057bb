"""How patient a supervisor is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starling.core.errors import InvalidOption

MORE_THAN_0: Final = (
    "start_timeout",
    "hang_timeout",
    "stuck_timeout",
    "memory_limit",
    "first_delay",
    "healthy_after",
    "blameless_after",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorOptions:
    """All times are seconds.

    ``workers``: recognizer processes. ``start_timeout``: until a process must be ready; the first start may build graphs.
    ``hang_timeout``: without a heartbeat, after which a process is replaced. ``stuck_timeout``: that one call into a model may
    take; also the longest that a process may be silent to which the machine gives no time. ``memory_limit``: bytes that a
    process may hold for itself. ``drain_grace``: for open segments to finish. ``first_delay``, ``longest_delay``: before a
    process that failed is started again, the second time in a row and at most. ``healthy_after``: ready for so long, its
    earlier failures are forgotten; ``blameless_after``: the same where others ended it.
    Raises InvalidOption for a value out of range.
    """

    workers: int
    start_timeout: float = 120.0
    hang_timeout: float = 1.0
    stuck_timeout: float = 20.0
    memory_limit: int = 1 << 30
    drain_grace: float = 10.0
    first_delay: float = 0.25
    longest_delay: float = 15.0
    healthy_after: float = 5.0
    blameless_after: float = 1.0

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InvalidOption(f"workers must be at least 1, got {self.workers}")
        for name in MORE_THAN_0:
            if not getattr(self, name) > 0:
                raise InvalidOption(f"{name} must be more than 0, got {getattr(self, name)}")
        if self.stuck_timeout < self.hang_timeout:
            raise InvalidOption(f"stuck_timeout must be at least hang_timeout, got {self.stuck_timeout:g}")
        if self.longest_delay < self.first_delay:
            raise InvalidOption(f"longest_delay must be at least first_delay, got {self.longest_delay:g}")
