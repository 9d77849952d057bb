"""Who gets a session: the gateway's gate of flow control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias

from starling.core.errors import Overloaded, ShuttingDown
from starling.core.load import Rung
from starling.core.ports import LoadBoard
from starling.gateway.options import GatewayOptions
from starling.telemetry.health import Health
from starling.telemetry.metrics import Metrics

Reason: TypeAlias = Literal["capacity", "address", "engine", "starting", "draining"]
"""Values of the label of ``Metrics.sessions_refused`` that admission gives."""


GOODBYE: Final = "the server is shutting down; connect to another one, or again later"


class Admission:
    """Counts sessions, all and by client address, and refuses those that are too many or come at a wrong time.

    Too many is also what the recognizers on ``board`` say they cannot serve.
    """

    def __init__(self, options: GatewayOptions, board: LoadBoard, health: Health, metrics: Metrics) -> None:
        self._options = options
        self._board = board
        self._health = health
        self._metrics = metrics
        self._by_address: Counter[str] = Counter()
        self._draining = False

    @property
    def active(self) -> int:
        return self._by_address.total()

    @property
    def draining(self) -> bool:
        return self._draining

    def drain(self) -> None:
        """Refuse everybody from now on."""
        self._draining = True

    @contextmanager
    def admit(self, address: str) -> Iterator[None]:
        """Hold a place for a client at ``address``. Raises ShuttingDown or Overloaded; then no place is held."""
        self._check(address)
        self._by_address[address] += 1
        self._metrics.sessions_active.inc()
        try:
            yield
        finally:
            self._metrics.sessions_active.dec()
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def _check(self, address: str) -> None:
        options = self._options
        if self._draining:
            self._count("draining")
            raise ShuttingDown(GOODBYE)
        if not self._health.ready:
            self._count("starting")
            raise Overloaded("the server is not ready yet; see /readyz", gate="gateway", retry_after=options.retry_after)
        if self.active >= options.max_sessions:
            self._count("capacity")
            raise Overloaded(
                f"all {options.max_sessions} sessions of this server are taken", gate="gateway", retry_after=options.retry_after
            )
        if self._by_address[address] >= options.max_sessions_per_address:
            self._count("address")
            raise Overloaded(
                f"{options.max_sessions_per_address} sessions are open from your address, which is the limit",
                gate="gateway",
                retry_after=options.retry_after,
            )

        self._check_recognizers()

    def _check_recognizers(self) -> None:
        """Who was admitted since they last spoke counts too: a burst of clients must not find the same room twice."""
        loads = self._board.loads().values()
        if loads and (all(load.rung is Rung.REFUSING for load in loads) or self.active >= sum(load.limit for load in loads)):
            self._count("engine")
            raise Overloaded(
                "recognition has no room for one more session", gate="engine", retry_after=min(load.retry_after for load in loads)
            )

    def _count(self, reason: Reason) -> None:
        self._metrics.sessions_refused.labels(reason=reason).inc()
