"""The door: who sent a request, from a page that may, and how often nobody in particular was turned away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from starlette.datastructures import Headers

from starling.auth.tenants import Principal
from starling.core.errors import Forbidden, KeysUnavailable, QuotaExceeded, StarlingError, Unauthenticated
from starling.gateway.access import Access, Overseer, is_loopback
from starling.gateway.foreign import identify
from starling.gateway.guard import Guard
from starling.gateway.options import GatewayOptions
from starling.protocols.dialects import Dialect
from starling.protocols.foreign import Head
from starling.telemetry.metrics import Metrics

REASONS: Final[dict[type[StarlingError], str]] = {
    Forbidden: "forbidden",
    Unauthenticated: "unauthenticated",
    QuotaExceeded: "attempts",
    KeysUnavailable: "keys",
    StarlingError: "other",
}
"""Values of the label of ``Metrics.sessions_refused`` for who is not even known: that of the nearest base of its error."""


def reason(error: StarlingError) -> str:
    """What counts whoever ``error`` turns away. There is one for every error: the root has one."""
    return next(REASONS[kind] for kind in type(error).__mro__ if kind in REASONS)


class Door:
    """Every method raises Forbidden, Unauthenticated, QuotaExceeded and KeysUnavailable."""

    def __init__(self, options: GatewayOptions, guard: Guard, access: Access, metrics: Metrics) -> None:
        self._options = options
        self._guard = guard
        self._access = access
        self._metrics = metrics

    def identify(self, headers: Headers, address: str) -> Principal:
        """Who sent a request with ``headers`` from ``address``."""
        with self._counted():
            self._guard.check_origin(headers.get("origin"), headers.get("host"))
            return self._access.identify(headers, address)

    async def enter(self, principal: Principal) -> None:
        """``principal`` was admitted, and comes in: what opens one connection has opened it. Raises StoreUnavailable, too."""
        with self._counted():
            await self._access.use(principal)

    def identify_foreigner(self, dialect: Dialect, head: Head, address: str) -> Principal:
        """Who sent ``head``, a request of a client of another server."""
        with self._counted():
            self._guard.check_origin(head.headers.get("origin"), head.headers.get("host"))
            on_loopback = dialect.port is not None and is_loopback(self._options.protocols_host)
            return identify(self._access, dialect, head, address, on_loopback=on_loopback)

    def identify_listener(self, headers: Headers, passed: str, job_id: str, address: str) -> Principal:
        """Who wants to hear the recording of a job, with ``passed`` for it instead of a key."""
        with self._counted():
            self._guard.check_origin(headers.get("origin"), headers.get("host"))
            return self._access.identify_pass(passed, job_id, address)

    def identify_operator(self, headers: Headers, address: str) -> Principal:
        """Who may see and end the sessions of others. Who may not is no session turned away, and is not counted."""
        self._guard.check_origin(headers.get("origin"), headers.get("host"))
        return self._access.identify_operator(headers, address)

    def identify_overseer(self, headers: Headers, address: str) -> Overseer:
        """Whose sessions a request may see and end. Who may not is not counted, either."""
        self._guard.check_origin(headers.get("origin"), headers.get("host"))
        return self._access.identify_overseer(headers, address)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except StarlingError as error:
            self._metrics.sessions_refused.labels(reason=reason(error)).inc()
            raise
