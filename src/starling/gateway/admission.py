"""Who gets a session: four gates of flow control, each of which refuses with a reason and a time to come back.

The tenant's quota, the rate of opening, the lag of the audio log, and what recognizers say of themselves; besides these the
places of the gateway itself, and whether it is ready or about to end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Final, Literal, TypeAlias

from starling.auth.tenants import Principal, Tenant
from starling.core.audio import seconds
from starling.core.errors import Overloaded, QuotaExceeded, ShuttingDown, StarlingError
from starling.gateway.access import network
from starling.gateway.buckets import BucketTable
from starling.gateway.newcomers import Newcomers
from starling.gateway.options import GatewayOptions
from starling.gateway.ports import Ports
from starling.gateway.quotas import Quotas
from starling.telemetry.health import Health

Reason: TypeAlias = Literal["capacity", "address", "rate", "tenant", "lag", "engine", "starting", "draining"]
"""Values of the label of ``Metrics.sessions_refused`` that admission gives."""


GOODBYE: Final = "the server is shutting down; connect to another one, or again later"

LAG_RETRY: Final = 5.0
"""Seconds in which recognition may catch up."""


class Admission:
    """Counts sessions, all and by client address, and refuses those that are too many, too quick, or come at a wrong time.

    Too many is also what the recognizers on the board say they cannot serve. Who is open and silent is no burden to them.
    """

    def __init__(self, options: GatewayOptions, ports: Ports, health: Health, quotas: Quotas) -> None:
        self._options = options
        self._ports = ports
        self._health = health
        self._quotas = quotas
        self._by_address: Counter[str] = Counter()
        self._opens = BucketTable(options.opens_per_minute / 60, options.opens_per_minute)
        self._returns = BucketTable(options.opens_per_minute / 60, options.opens_per_minute + options.max_sessions)
        self._draining = False
        self._newcomers = Newcomers()
        self._returning: Counter[str] = (
            Counter()
        )  # connections that have not said yet to which session they come back, by address

    @property
    def active(self) -> int:
        return self._by_address.total()

    @property
    def draining(self) -> bool:
        return self._draining

    def drain(self) -> None:
        """Refuse everybody from now on."""
        self._draining = True

    @asynccontextmanager
    async def admit(self, address: str, principal: Principal) -> AsyncIterator[Callable[[], None]]:
        """Hold a place for ``principal`` at ``address``; gives what is to be called once its session is open.

        Raises ShuttingDown or Overloaded; then no place is held.
        """
        place = network(address)
        with self._counted():
            self._take_turn(self._opens, place, principal)
            self._check(place, principal.tenant)
        clock = self._ports.clock
        newcomer = self._newcomers.admitted(clock.now())
        try:
            with self._held(place, principal):
                await self._check_elsewhere(principal.tenant)
                yield lambda: self._newcomers.opened(newcomer, clock.now())
        finally:
            self._newcomers.left(newcomer)

    @contextmanager
    def _held(self, place: str, principal: Principal) -> Iterator[None]:
        metrics = self._ports.metrics
        self._by_address[place] += 1
        metrics.sessions_active.inc()
        try:
            with self._quotas.session(principal.tenant):
                yield
        finally:
            metrics.sessions_active.dec()
            self._by_address[place] -= 1
            if not self._by_address[place]:
                del self._by_address[place]

    @contextmanager
    def hold(self, principal: Principal) -> Iterator[None]:
        """Hold a place for a session that was admitted elsewhere."""
        with self._held("", principal):
            yield

    @contextmanager
    def admit_again(self, address: str, principal: Principal) -> Iterator[Callable[[], None]]:
        """Let a client in whose session holds a place already; call what is given once it has said which one that is.

        Who comes back takes no turn of those who are new: all may do so at once, when the gateway was replaced. Until it has said
        so it counts: those who say nothing are at most as many as there may be sessions, all and by client address, so that
        nobody keeps others out with them. Raises Overloaded beyond that.
        """
        place, options = network(address), self._options
        with self._counted():
            self._take_turn(self._returns, place, principal)
            if self._draining and self._ports.shared:
                raise _Refused("draining", ShuttingDown(GOODBYE))
            if self._returning.total() >= options.max_sessions:
                raise _Refused("capacity", self._full("more clients come back at once than there may be sessions"))
            if self._returning[place] >= options.max_sessions_per_address:
                raise _Refused("address", self._full("more clients come back at once from your address than may have sessions"))
        with ExitStack() as held:
            self._returning[place] += 1
            held.callback(self._returned, place)
            yield held.close

    def _returned(self, place: str) -> None:
        self._returning[place] -= 1
        if not self._returning[place]:
            del self._returning[place]

    def another(self, address: str, principal: Principal) -> float:
        """A client that is here opens one more session; the seconds that it should wait before the next one."""
        now = self._ports.clock.now()
        return max(self._opens.of(name, now).take(1, now) for name, _ in _turns(network(address), principal))

    def consider(self, address: str, principal: Principal) -> None:
        """Raise what ``admit`` would, and hold nothing."""
        try:
            self._check(network(address), principal.tenant)
        except _Refused as refused:
            raise refused.error from None

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except _Refused as refused:
            self._ports.metrics.sessions_refused.labels(reason=refused.reason).inc()
            raise refused.error from None

    def _take_turn(self, turns: BucketTable, place: str, principal: Principal) -> None:
        now = self._ports.clock.now()
        for name, whose in _turns(place, principal):
            wait = turns.of(name, now).ask(now)
            if wait > 0:
                message = f"more than {self._options.opens_per_minute} connections a minute {whose}"
                raise _Refused("rate", QuotaExceeded(message, gate="rate", retry_after=wait))

    def _check(self, place: str, tenant: Tenant) -> None:
        options = self._options
        if self._draining:
            raise _Refused("draining", ShuttingDown(GOODBYE))
        if not self._health.ready:
            raise _Refused("starting", self._full("the server is not ready yet; see /readyz"))
        try:
            self._quotas.check(tenant)
        except QuotaExceeded as exceeded:
            raise _Refused("tenant", exceeded) from None
        if self.active >= options.max_sessions:
            raise _Refused("capacity", self._full(f"all {options.max_sessions} sessions of this server are taken"))
        if self._by_address[place] >= options.max_sessions_per_address:
            limit = options.max_sessions_per_address
            raise _Refused("address", self._full(f"{limit} sessions are open from your address, which is the limit"))
        self._check_lag()
        self._check_recognizers()

    async def _check_elsewhere(self, tenant: Tenant) -> None:
        """Sessions of ``tenant`` at other gateways count too."""
        if (tally := self._ports.tally) is None or tenant.max_sessions is None:
            return
        with self._counted():
            if not await tally.enter(tenant.name, self._quotas.used(tenant.name).sessions, tenant.max_sessions):
                raise _Refused("tenant", self._quotas.full(tenant))

    async def reconcile(self) -> None:
        """Tell other gateways what tenants used here, and count what they used there."""
        if (tally := self._ports.tally) is not None:
            day, mine = self._quotas.share()
            self._quotas.learn(day, await tally.exchange(day, mine))

    def _check_lag(self) -> None:
        behind = seconds(self._ports.audio_log.lag())
        if behind > self._options.max_lag_seconds:
            message = f"recognition is {behind:.0f} s of audio behind"
            raise _Refused("lag", Overloaded(message, gate="log", retry_after=LAG_RETRY))

    def _check_recognizers(self) -> None:
        """Who was admitted since they last spoke counts too: a burst of clients must not find the same room twice."""
        loads = self._ports.board.loads().values()
        if not loads:
            return
        newcomers = self._newcomers.count(min(load.at for load in loads), self._ports.clock.now())
        if newcomers >= sum(load.places for load in loads):
            retry_after = min(load.retry_after for load in loads)
            message = "recognition has no room for one more session"
            raise _Refused("engine", Overloaded(message, gate="engine", retry_after=retry_after))

    def _full(self, message: str) -> Overloaded:
        return Overloaded(message, gate="gateway", retry_after=self._options.retry_after)


def _turns(place: str, principal: Principal) -> list[tuple[str, str]]:
    """Whose turns to open a session are counted, and how to say so."""
    turns = [(f"address {place}", "from your address")]
    return [*turns, (f"key {principal.key_id}", "with your API key")] if principal.key_id else turns


class _Refused(Exception):
    """Why somebody is refused, for the metrics, and what is said to the client."""

    def __init__(self, reason: Reason, error: StarlingError) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error
