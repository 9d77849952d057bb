"""Clients of other servers at the door: what their request says, and the answer it gets if they are not let in."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from starling.auth.client_secrets import is_secret
from starling.auth.tenants import ANYBODY, Principal
from starling.core.errors import StarlingError
from starling.gateway.access import Access, is_local, offered_subprotocols
from starling.gateway.refusals import advice
from starling.protocols.dialects import Dialect
from starling.protocols.foreign import Head


def head_of(request: HTTPConnection, trace_id: str) -> Head:
    """The head of ``request``. Of a header that comes twice, the first."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers.setdefault(name.lower(), value)
    return Head(
        path=request.url.path,
        query=tuple(request.query_params.multi_items()),
        headers=headers,
        subprotocols=tuple(offered_subprotocols(request.headers)),
        trace_id=trace_id,
    )


def identify(access: Access, dialect: Dialect, head: Head, address: str, *, on_loopback: bool) -> Principal:
    """Who at ``address`` sent the request. Raises Unauthenticated, QuotaExceeded and KeysUnavailable.

    ``on_loopback``: only this machine reaches the dialect's port. Its programs need no key there, if the dialect has no place for
    one; what came through a proxy is not from this machine.
    """
    key = dialect.credential(head)
    if key is None and on_loopback and not dialect.has_keys and is_local(head.headers, address):
        return ANYBODY
    if key is not None and dialect.has_secrets and is_secret(key):
        return access.identify_secret(key, address)
    return access.identify_key(key, address)


def refused(dialect: Dialect, error: StarlingError) -> JSONResponse:
    """The HTTP response that says ``error`` as ``dialect`` does."""
    refusal = dialect.refusal(error)
    return JSONResponse(dict(refusal.body), error.http_status, advice(error) | dict(refusal.headers or {}))


def accepted(dialect: Dialect, trace_id: str) -> list[tuple[bytes, bytes]]:
    """The headers with which a client of ``dialect`` is let in, as ASGI has them."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in dialect.accepted(trace_id).items()]
