"""Tally in memory: of several gateways that share a process, in tests for instance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Counts:
    sessions: defaultdict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    audio: defaultdict[tuple[int, str], dict[str, float]] = field(default_factory=lambda: defaultdict(dict))


class MemoryTally:
    """The tally as ``gateway`` sees it, and by ``at`` as another one does."""

    def __init__(self, gateway: str, counts: _Counts | None = None) -> None:
        self._gateway = gateway
        self._counts = counts or _Counts()

    def at(self, gateway: str) -> MemoryTally:
        """The same tally, at another gateway."""
        return MemoryTally(gateway, self._counts)

    async def enter(self, tenant: str, mine: int, most: int) -> bool:
        sessions = self._counts.sessions[tenant]
        admitted = mine + sum(count for gateway, count in sessions.items() if gateway != self._gateway) <= most
        sessions[self._gateway] = mine if admitted else mine - 1
        return admitted

    async def exchange(self, day: int, mine: Mapping[str, tuple[int, float]]) -> Mapping[str, float]:
        for tenant, (sessions, audio) in mine.items():
            self._counts.sessions[tenant][self._gateway] = sessions
            self._counts.audio[day, tenant][self._gateway] = audio
        return {tenant: self._elsewhere(day, tenant) for tenant in mine}

    def _elsewhere(self, day: int, tenant: str) -> float:
        return sum(audio for gateway, audio in self._counts.audio[day, tenant].items() if gateway != self._gateway)
