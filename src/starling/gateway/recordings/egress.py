"""HTTP from here to where a stranger's URL leads: every connection is made to an address that was checked."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import httpcore2

from starling.core.errors import InvalidOption, StarlingError
from starling.gateway.recordings.options import Network
from starling.gateway.recordings.targets import Target, permitted, redirected, target

MAX_REDIRECTS: Final = 3
MAX_ADDRESSES: Final = 8
"""Of one name: those that are tried."""

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a name, for a port. Raises OSError."""


class Unreached(StarlingError):
    """Nobody answered at a URL, or not with what was needed. ``message``: for whoever named the URL."""

    code = "url_failed"
    http_status = 422
    retryable = True


@dataclass(frozen=True, slots=True)
class Answer:
    """``headers``: by their names in lower case. ``body``: as it comes."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]


async def resolve(host: str, port: int) -> list[str]:
    """As the system resolves names."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class CheckedConnections(httpcore2.AsyncNetworkBackend):
    """Connects to permitted addresses only. A name with one address that is not permitted is not connected to at all.

    The name is resolved once, here, and the connection goes to the address that was looked at; TLS and the Host header keep the
    name.
    """

    def __init__(self, allowed: tuple[Network, ...], resolve: Resolve = resolve) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore has it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except (OSError, TimeoutError, UnicodeError):
            raise httpcore2.ConnectError("the name has no address") from None
        if not addresses or not all(permitted(address, port, self._allowed) for address in addresses):
            raise Barred
        error: Exception = httpcore2.ConnectError("no address")
        for address in addresses[:MAX_ADDRESSES]:
            try:
                return await self._backend.connect_tcp(
                    address, port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                error = failed
        raise error

    async def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:  # noqa: ARG002, ASYNC109
        raise Barred

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Barred(httpcore2.ConnectError):
    """The address is not one to connect to."""


class Egress:
    """``allowed``: networks that may be reached besides public addresses. Each request has a connection of its own.

    ``trust``: whom TLS trusts; None for those whom the system trusts.
    """

    def __init__(
        self, allowed: tuple[Network, ...] = (), resolve: Resolve = resolve, trust: ssl.SSLContext | None = None
    ) -> None:
        self._backend = CheckedConnections(allowed, resolve)
        self._trust = trust

    @asynccontextmanager
    async def get(self, url: str, *, idle: float) -> AsyncIterator[Answer]:
        """The answer at ``url``, after redirects; ``idle``: seconds for each step of it.

        Raises InvalidOption for a URL that is not for here, and Unreached; so does reading the body.
        """
        place = target(url)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._request("GET", place, {"Accept": "*/*"}, b"", idle) as answer:
                if answer.status not in REDIRECTS:
                    yield answer
                    return
                location = answer.headers.get("location", "")
            place = redirected(place, location)
        raise Unreached(f"url leads on more than {MAX_REDIRECTS} times: name the last address itself")

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, idle: float) -> int:
        """The status of the answer to ``body``; redirects are not followed. Raises as ``get``."""
        async with self._request("POST", target(url, "callback"), headers, body, idle) as answer:
            return answer.status

    @asynccontextmanager
    async def _request(
        self, method: str, place: Target, headers: Mapping[str, str], body: bytes, idle: float
    ) -> AsyncIterator[Answer]:
        limits = dict.fromkeys(("connect", "read", "write", "pool"), idle)
        if self._trust is None and place.scheme == "https":
            self._trust = await asyncio.to_thread(ssl.create_default_context)
        pool = httpcore2.AsyncConnectionPool(ssl_context=self._trust, network_backend=self._backend, max_keepalive_connections=0)
        said = {"Host": place.authority, "User-Agent": "starling", "Connection": "close", "Accept-Encoding": "identity"}
        url = httpcore2.URL(scheme=place.scheme, host=place.host, port=place.port, target=place.path)
        request = pool.stream(
            method, url, headers=list({**said, **headers}.items()), content=body or None, extensions={"timeout": limits}
        )
        async with AsyncExitStack() as stack:
            with _explained():
                await stack.enter_async_context(pool)
                response = await stack.enter_async_context(request)
            found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            yield Answer(response.status, found, _read(response))


async def _read(response: httpcore2.Response) -> AsyncIterator[bytes]:
    with _explained():
        async for chunk in response.aiter_stream():
            yield chunk


@contextmanager
def _explained() -> Iterator[None]:
    """What went wrong on the network, to whoever named the URL."""
    try:
        yield
    except Barred:
        raise InvalidOption(
            "the URL leads to an address that is not public, or to a port where no web server is: this server does not go "
            "there (see jobs.allowed_networks)"
        ) from None
    except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError):
        raise Unreached("nobody answered at the URL, or not as HTTP has it: check it, or try again later") from None
