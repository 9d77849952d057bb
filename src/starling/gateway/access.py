"""Who is asking: the credential in a request's head, and whether it is good.

Programs send ``Authorization: Bearer KEY``. A browser's WebSocket can set no header but the subprotocol, so a page offers
``starling`` and ``key.KEY``, or better ``ticket.TICKET``, which its own server got for it and which is worth nothing a minute
later. Nothing is taken from the query: proxies log it.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from starling.auth.client_secrets import SecretOffice
from starling.auth.keyring import Keyring
from starling.auth.passes import PassOffice
from starling.auth.seal import Seal, new_root
from starling.auth.tenants import ANYBODY, Principal, Tenant
from starling.auth.tickets import REMEMBERED, TicketOffice
from starling.bus.memory import MemoryNotary
from starling.core.errors import Forbidden, QuotaExceeded, StarlingError, Unauthenticated
from starling.core.load import Priority
from starling.core.ports import Clock, Notary
from starling.gateway.buckets import BucketTable
from starling.gateway.options import GatewayOptions

SUBPROTOCOL: Final = "starling"
"""What a page offers first and the server agrees to; the credential it offers second is never sent back."""

FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Headers that a proxy adds: what came through one is not from this machine, whatever its address says."""


@dataclass(frozen=True, slots=True)
class Overseer:
    """Who may see and end sessions. ``tenant``: whose, None for everybody's. ``by``: the id of its key, for the log."""

    tenant: str | None
    by: str


class Access:
    """Turns requests into principals, and counts attempts that fail, by address.

    ``notary``: what gateways have in common of what they give out; None where there is one gateway. ``wall``: seconds since 1970.
    """

    def __init__(
        self, options: GatewayOptions, clock: Clock, notary: Notary | None = None, *, wall: Callable[[], float] = time.time
    ) -> None:
        self._keyring = None if options.keys_file is None else Keyring(options.keys_file)
        self._seal = Seal()
        self._notary = notary or MemoryNotary(clock.now, self._seal.root)
        self._tickets = TicketOffice(self._seal)
        self._secrets = SecretOffice(self._seal)
        self._passes = PassOffice(self._seal)
        self._clock = clock
        self._wall = wall
        per_minute = options.failures_per_minute
        self._failures = BucketTable(per_minute / 60, per_minute)

    async def agree(self) -> None:
        """Sign as all gateways do. Call it before anybody is let in, and again: what was used may have been lost.

        Raises StoreUnavailable.
        """
        self._seal.root = await self._notary.root(new_root())

    async def use(self, principal: Principal) -> None:
        """Let ``principal`` in who was identified: with a ticket once, at whatever gateway.

        Raises Unauthenticated, and StoreUnavailable where other gateways cannot be asked.
        """
        if principal.ticket and not await self._notary.spend(principal.ticket, REMEMBERED, self._seal.root):
            raise Unauthenticated("this ticket was used before: one opens one connection; get another")

    @property
    def open(self) -> bool:
        """Whether nobody is asked for a key."""
        return self._keyring is None

    def identify(self, headers: Headers, address: str) -> Principal:
        """Who sent a request with ``headers`` from ``address``.

        Raises Unauthenticated, and QuotaExceeded to who tries too often: a good key is taken all the same, so nobody can lock
        others out.
        """
        return self._counted(lambda: self._principal(headers), address)

    def identify_key(self, key: str | None, address: str) -> Principal:
        """The same for who shows ``key`` in some other way."""
        return self._counted(lambda: self._keyholder(key), address)

    def identify_secret(self, secret: str, address: str) -> Principal:
        """The same for who shows a client secret instead of a key."""
        return self._counted(lambda: self._secret_holder(secret), address)

    def identify_pass(self, passed: str, job_id: str, address: str) -> Principal:
        """The same for who shows a pass to the recording of a job instead of a key."""
        return self._counted(lambda: self._pass_holder(passed, job_id), address)

    def _counted(self, look: Callable[[], Principal], address: str) -> Principal:
        if self._keyring is None:
            return ANYBODY
        try:
            return look()
        except Unauthenticated:
            wait = self._failures.of(network(address), self._clock.now()).ask(self._clock.now())
            if wait > 0:
                raise QuotaExceeded(
                    "too many attempts with wrong keys from your address", gate="rate", retry_after=wait
                ) from None
            raise

    def identify_operator(self, headers: Headers, address: str) -> Principal:
        """The same for who wants to see or end the sessions of others. Raises Forbidden besides.

        Where no keys are asked for, that is a program on this machine, and nobody who came through a proxy on it.
        """
        principal = self.identify(headers, address)
        if self.open and not is_local(headers, address):
            raise Forbidden("without API keys only this machine itself may do this; see `starling keys create --operator`")
        if not self.open and not principal.operator:
            raise Forbidden("this needs an API key of an operator: `starling keys create NAME --operator`")
        return principal

    def identify_overseer(self, headers: Headers, address: str) -> Overseer:
        """The same for who wants to see or end sessions, of its tenant or as an operator. Raises Forbidden besides."""
        if self.open:
            self.identify_operator(headers, address)
            return Overseer(tenant=None, by="this machine")
        principal = self.identify(headers, address)
        if principal.by_ticket:
            raise Forbidden("a ticket opens one WebSocket and nothing else: show the API key")
        return Overseer(tenant=None if principal.operator else principal.tenant.name, by=principal.key_id)

    def issue(self, principal: Principal) -> tuple[str, int]:
        """A ticket for ``principal``, and the seconds for which it is good.

        Raises Forbidden where no keys are asked for, and to who has a ticket only: it would never be over otherwise.
        """
        if self.open:
            raise Forbidden("tickets stand for API keys, and this server asks for none: connect without")
        if principal.by_ticket:
            raise Forbidden("a ticket gets no other ticket: ask for one with the API key")
        return self._tickets.issue(principal.key_id, self._wall())

    def issue_secret(self, principal: Principal, note: str, lifetime: int) -> str:
        """A client secret for ``principal``, with ``note`` in it. Raises as ``SecretOffice.issue``.

        Where no keys are asked for it stands for none, and nobody looks at it but for the note.
        """
        return self._secrets.issue(principal.key_id, note, lifetime, self._wall())

    def issue_pass(self, principal: Principal, job_id: str) -> str | None:
        """A pass to the recording of a job, for PassOffice.LIFETIME; None where nobody is asked for a key, so none is needed."""
        return None if self.open else self._passes.issue(principal.key_id, job_id, self._wall())

    def still(self, principal: Principal) -> bool:
        """Whether what let ``principal`` in is good yet. A file that cannot be read right now ends no live session.

        So is who came with a gateway before this one, until its client comes back and shows a key again.
        """
        if self._keyring is None or not principal.key_id:
            return True
        try:
            return self._keyring.knows(principal.key_id)
        except StarlingError:
            return True

    def tenant(self, name: str, priority: Priority) -> Tenant:
        """The tenant called ``name`` as it is limited now; where that is not known, one with ``priority`` and no limits."""
        if self._keyring is None or not name:
            return replace(ANYBODY.tenant, priority=priority)
        try:
            return self._keyring.tenant(name) or Tenant(name=name, priority=priority)
        except StarlingError:
            return Tenant(name=name, priority=priority)

    def _keyholder(self, key: str | None) -> Principal:
        assert self._keyring is not None
        if key is None:
            raise Unauthenticated("expected an API key as this protocol's clients show theirs, got none; see docs/protocols")
        return self._keyring.authenticate(key)

    def _secret_holder(self, secret: str) -> Principal:
        assert self._keyring is not None
        return self._keyring.principal(self._secrets.redeem(secret, self._wall()))

    def _pass_holder(self, passed: str, job_id: str) -> Principal:
        assert self._keyring is not None
        return self._keyring.principal(self._passes.redeem(passed, job_id, self._wall()))

    def _principal(self, headers: Headers) -> Principal:
        assert self._keyring is not None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._keyring.authenticate(token.strip())
        offered = _offered(headers)
        if "key" in offered:
            return self._keyring.authenticate(offered["key"])
        if "ticket" in offered:
            redeemed = self._tickets.redeem(offered["ticket"], self._wall())
            return self._keyring.principal(redeemed.key_id, redeemed.number)
        raise Unauthenticated("expected an API key in the header 'Authorization: Bearer KEY', got none; see docs/protocol.md")


def agreed_subprotocol(headers: Headers) -> str | None:
    """The subprotocol to agree to, if the client offered any that is ours."""
    return SUBPROTOCOL if SUBPROTOCOL in offered_subprotocols(headers) else None


def address_of(request: HTTPConnection) -> str:
    """Where a request, or the beginning of a WebSocket, came from; empty where that is not known."""
    return request.client.host if request.client else ""


def is_local(headers: Mapping[str, str], address: str) -> bool:
    """Whether a request is from this machine and came straight."""
    return is_loopback(address) and not any(name in headers for name in FORWARDED)


def is_loopback(host: str) -> bool:
    """Whether ``host``, a name or an address, is this machine and nothing else."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def network(address: str) -> str:
    """Whom to count as one: an IPv4 address, or the 64 bits of an IPv6 address that a site gets."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))  # noqa: PLR2004


def _offered(headers: Headers) -> Mapping[str, str]:
    """The credentials among the offered subprotocols, by their kind."""
    return {kind: value for kind, dot, value in (protocol.partition(".") for protocol in offered_subprotocols(headers)) if dot}


def offered_subprotocols(headers: Headers) -> list[str]:
    """The subprotocols that a client offers, in its order."""
    return [name.strip() for line in headers.getlist("sec-websocket-protocol") for name in line.split(",")]
