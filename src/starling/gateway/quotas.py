"""What tenants have used of what they may: the first gate of flow control. Pure but for the two clocks it is given.

Counts of sessions and of their audio live in the gateway's memory: they begin anew when it does. Gateways that share a ``Tally``
count each other's too. What recordings used is in the store of jobs, and told here (``learn_recorded``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from starling.auth.tenants import Tenant
from starling.core.errors import QuotaExceeded
from starling.core.jobs import DAY
from starling.gateway.buckets import TokenBucket

MINUTE: Final = 60.0
SOON: Final = 5.0
"""Seconds after which a session of the same tenant may have ended: nobody knows when one will."""


@dataclass(slots=True)
class Usage:
    """Of one tenant. ``day``: days since 1970 UTC; ``today``: seconds of audio on it."""

    sessions: int = 0
    minute: TokenBucket | None = None
    day: int = 0
    today: float = 0.0
    elsewhere: float = 0.0  # of the day's audio, what came to other gateways
    recorded: float | None = None  # of the day, of recordings, wherever they came in; None until somebody looked


class Quotas:
    """Usage by tenant. ``now``: monotonic seconds; ``wall``: seconds since 1970. Who was not there today is forgotten."""

    def __init__(self, now: Callable[[], float], wall: Callable[[], float]) -> None:
        self._now = now
        self._wall = wall
        self._usage: dict[str, Usage] = {}

    def check(self, tenant: Tenant) -> None:
        """Raises QuotaExceeded when ``tenant`` may not begin another session."""
        usage = self._usage.get(tenant.name)
        if usage is None:
            return
        if tenant.max_sessions is not None and usage.sessions >= tenant.max_sessions:
            raise self.full(tenant)
        self._check_audio(tenant, usage)

    @staticmethod
    def full(tenant: Tenant) -> QuotaExceeded:
        """Why ``tenant`` may not begin another session where it has as many as it may."""
        return _exceeded(f"tenant {tenant.name} has {tenant.max_sessions} sessions open, which is its limit", SOON)

    def check_audio(self, tenant: Tenant) -> None:
        """Raises QuotaExceeded when ``tenant`` may send no more audio now, whatever its sessions."""
        usage = self._usage.get(tenant.name)
        if usage is not None:
            self._check_audio(tenant, usage)

    def check_length(self, tenant: Tenant, audio: float, *, charged: bool = False) -> None:
        """Raises QuotaExceeded when ``tenant`` has less than ``audio`` seconds left of its day; ``charged``: without these."""
        left = self._left(tenant, self.used(tenant.name)) + (audio if charged else 0.0)
        if audio > left:
            name, rest = tenant.name, max(0.0, left)
            raise _exceeded(
                f"the recording lasts {audio:.1f} s, and tenant {name} has {rest:.1f} s of audio left of the day, which ends at "
                "midnight UTC: send a shorter one, or send it later",
                DAY - self._wall() % DAY,
            )

    @contextmanager
    def session(self, tenant: Tenant) -> Iterator[None]:
        """Count a session of ``tenant`` while the block runs."""
        usage = self._usage.setdefault(tenant.name, Usage())
        usage.sessions += 1
        try:
            yield
        finally:
            usage.sessions -= 1
            self._forget()

    def spend(self, tenant: Tenant, audio: float) -> float:
        """Charge seconds of ``audio``; for how many to leave ``tenant`` unread. Raises QuotaExceeded when its day is used up."""
        usage = self._usage.get(tenant.name) or self._usage.setdefault(tenant.name, Usage())
        self._turn_page(usage)
        usage.today += audio
        self._check_day(tenant, usage)
        return self._minute(tenant, usage, audio)

    def share(self) -> tuple[int, dict[str, tuple[int, float]]]:
        """What to tell a ``Tally``: the day, and of each tenant its sessions here and its audio of the day."""
        for usage in self._usage.values():
            self._turn_page(usage)
        return self._today(), {name: (usage.sessions, usage.today) for name, usage in self._usage.items()}

    def learn(self, day: int, elsewhere: Mapping[str, float]) -> None:
        """What a ``Tally`` says in turn: audio that came to other gateways on ``day``, which counts here too."""
        now = self._now()
        for name, audio in elsewhere.items():
            usage = self._usage.get(name)
            if usage is not None and usage.day == day:
                more, usage.elsewhere = audio - usage.elsewhere, audio
                if usage.minute is not None and more > 0:
                    usage.minute.take(more, now)

    def learn_recorded(self, tenant: str, day: int, audio: float) -> None:
        """What ``tenant`` used in recordings on ``day``, by the store of jobs. It becomes less where more was expected of one."""
        usage = self._usage.setdefault(tenant, Usage())
        self._turn_page(usage)
        if usage.day != day:
            return
        before, usage.recorded = usage.recorded, audio
        if usage.minute is not None and before is not None and audio != before:
            usage.minute.take(audio - before, self._now())

    @property
    def tenants(self) -> list[str]:
        """Those who were here today, or are now."""
        today = self._today()
        return [name for name, usage in self._usage.items() if usage.sessions or usage.day == today]

    def used(self, tenant: str) -> Usage:
        """What the tenant of that name has used."""
        return self._usage.get(tenant, Usage())

    def _check_audio(self, tenant: Tenant, usage: Usage) -> None:
        self._check_day(tenant, usage)
        wait = self._minute(tenant, usage, 0.0)
        if wait > 0:
            raise _exceeded(f"tenant {tenant.name} has sent its {tenant.audio_seconds_per_minute:g} s of audio a minute", wait)

    def _check_day(self, tenant: Tenant, usage: Usage) -> None:
        if self._left(tenant, usage) <= 0:
            limit = tenant.audio_seconds_per_day
            raise _exceeded(
                f"tenant {tenant.name} has used its {limit:g} s of audio of the day, which ends at midnight UTC",
                DAY - self._wall() % DAY,
            )

    def _left(self, tenant: Tenant, usage: Usage) -> float:
        """Seconds of audio that ``tenant`` may still have today."""
        self._turn_page(usage)
        if tenant.audio_seconds_per_day is None:
            return math.inf
        return tenant.audio_seconds_per_day - (usage.today + usage.elsewhere + (usage.recorded or 0.0))

    def _minute(self, tenant: Tenant, usage: Usage, audio: float) -> float:
        limit = tenant.audio_seconds_per_minute
        if limit is None:
            usage.minute = None
            return 0.0
        now = self._now()
        if usage.minute is None:
            usage.minute = TokenBucket(limit / MINUTE, limit, now)
        elif usage.minute.burst != limit:
            usage.minute.adapt(limit / MINUTE, limit, now)
        return usage.minute.take(audio, now)

    def _today(self) -> int:
        return math.floor(self._wall() / DAY)

    def _turn_page(self, usage: Usage) -> None:
        today = self._today()
        if usage.day != today:
            usage.day, usage.today, usage.elsewhere, usage.recorded = today, 0.0, 0.0, None

    def _forget(self) -> None:
        today = self._today()
        for name in [name for name, usage in self._usage.items() if not usage.sessions and usage.day != today]:
            del self._usage[name]


def _exceeded(message: str, retry_after: float) -> QuotaExceeded:
    return QuotaExceeded(message, gate="tenant", retry_after=retry_after)
