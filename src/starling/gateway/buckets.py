"""Token buckets: how much of something may come how fast. Pure: ``now`` is seconds; a clock that goes back gives nothing.

The leaky bucket as a meter (ITU-T I.371): it holds up to ``burst`` tokens and gains ``rate`` of them a second.
"""

from __future__ import annotations

from collections import OrderedDict


class TokenBucket:
    """A full bucket. ``rate``: tokens a second; ``burst``: what it holds at most."""

    __slots__ = ("_at", "_level", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._level = burst
        self._at = now

    def take(self, amount: float, now: float) -> float:
        """Take ``amount`` even if that leaves a debt; the seconds until it is paid. For what has come already."""
        self._level = self._filled(now) - amount
        self._at = max(self._at, now)
        return max(0.0, -self._level / self.rate)

    def ask(self, now: float) -> float:
        """Take one token if there is one, and return 0; else the seconds until there is. For what can be refused."""
        wait = self.wait(now)
        if wait == 0:
            self.take(1, now)
        return wait

    def wait(self, now: float) -> float:
        """The seconds until there is one token."""
        return max(0.0, (1 - self._filled(now)) / self.rate)

    def adapt(self, rate: float, burst: float, now: float) -> None:
        """From ``now`` on another rate and size; a debt stays one."""
        self._level, self._at = min(burst, self._filled(now)), max(self._at, now)
        self.rate, self.burst = rate, burst

    def _filled(self, now: float) -> float:
        return min(self.burst, self._level + max(0.0, now - self._at) * self.rate)


class BucketTable:
    """A bucket for each of many names, of which the ``size`` last used are kept: who was forgotten starts with a full one."""

    def __init__(self, rate: float, burst: float, size: int = 4096) -> None:
        self._rate = rate
        self._burst = burst
        self._size = size
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def of(self, name: str, now: float) -> TokenBucket:
        """The bucket of ``name``."""
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = TokenBucket(self._rate, self._burst, now)
            if len(self._buckets) > self._size:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(name)
        return bucket
