"""What whoever oversees a server asks of it: which sessions there are, and that one ends. Plain HTTP; calls block."""

from __future__ import annotations

import ssl
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

import msgspec

from starling.client.address import is_loopback, plain_url
from starling.client.errors import ProtocolMismatch, Refused, Unreachable
from starling.client.trust import trusting
from starling.core.errors import NotFound, StarlingError, Unauthenticated

TIMEOUT: Final = 10.0
"""Seconds that each answer may take."""

LONGEST: Final = 4 << 20
"""Bytes of an answer: many times a page."""

PAGE: Final = 1000
"""Sessions that are asked for at once."""

MOST_PAGES: Final = 200
"""More sessions than a server has; one that names a next page for ever is left there."""


class SessionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One session, as a server shows it. ``connected``: ISO 8601, UTC. ``worker``: None while no recognizer has it.

    ``lag_seconds``: audio that nothing is settled of. ``backlog``: results that wait for its client. ``gateway``: where that is.
    """

    session_id: str
    tenant: str
    priority: str
    connected: str
    state: str
    worker: str | None
    language: str
    audio_seconds: float
    lag_seconds: float
    backlog: int
    gateway: str = ""


class SessionsSeen(msgspec.Struct, kw_only=True):
    """Sessions in the order they came. ``silent``: gateways that did not answer, so theirs are missing."""

    sessions: list[SessionSeen] = []
    silent: list[str] = []


class _Page(SessionsSeen):
    next: str | None = None


class _Reason(msgspec.Struct):
    message: str


class _Refusal(msgspec.Struct):
    error: _Reason


class Overseer:
    """At the server of ``url`` (see ``address.stream_url``). Where it asks for keys: with an operator's, or a tenant's.

    ``ca``: as in ``connect``. Every method raises Unreachable, Refused, NotFound and ProtocolMismatch.
    """

    def __init__(self, url: str, *, api_key: str | None = None, ca: Path | None = None) -> None:
        self._base = plain_url(url, "")
        self._headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._opener = _opener(self._base, trusting(ca, self._base))

    def sessions(self) -> SessionsSeen:
        """All of them at all gateways, page by page: what comes or goes meanwhile may be among them or not."""
        seen, silent, after = [], set(), ""
        for _ in range(MOST_PAGES):
            page = self._page(f"/v1/sessions?limit={PAGE}&after={quote(after, safe='')}")
            seen += page.sessions
            silent |= {*page.silent}
            if page.next is None:
                break
            after = page.next
        return SessionsSeen(sessions=seen, silent=sorted(silent))

    def _page(self, path: str) -> _Page:
        try:
            return msgspec.json.decode(self._ask("GET", path), type=_Page)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ProtocolMismatch(f"expected the sessions of a Starling server of this version: {error}") from None

    def end(self, session_id: str) -> None:
        """End one: its client gets what was heard, the reason, and the end."""
        self._ask("DELETE", f"/v1/sessions/{quote(session_id, safe='')}")

    def _ask(self, method: str, path: str) -> bytes:
        request = Request(self._base + path, headers=self._headers, method=method)  # noqa: S310 - http or https, see plain_url
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                content: bytes = answer.read(LONGEST)
                return content
        except HTTPError as refused:
            raise _refusal(self._base, refused.code, refused.read(LONGEST)) from None
        except URLError as error:
            raise _unreachable(self._base, error.reason) from None
        except OSError as error:
            raise _unreachable(self._base, error) from None
        except HTTPException:
            raise Refused(f"{self._base} does not answer as an HTTP server", status=0) from None


class _Nowhere(HTTPRedirectHandler):
    """The key is for the server that was named, and for no other that it names."""

    def redirect_request(self, *_: Any) -> None:
        """Go there: never."""


def _opener(base: str, context: ssl.SSLContext | None) -> OpenerDirector:
    """A proxy set in the environment is used, except to this machine."""
    secured = [] if context is None else [HTTPSHandler(context=context)]
    return build_opener(_Nowhere, *secured, *([ProxyHandler({})] if is_loopback(base) else []))


def _refusal(base: str, status: int, body: bytes) -> StarlingError:
    try:
        said = msgspec.json.decode(body, type=_Refusal).error.message
    except (msgspec.DecodeError, RecursionError):
        return Refused(f"{base} answered HTTP {status}: is this the address of a Starling server?", status=status)
    if status == Unauthenticated.http_status:
        return Refused(f"{base} answers nobody without a good API key ({said}): set STARLING_API_KEY", status=status)
    if status == NotFound.http_status:
        return NotFound(said)
    return Refused(f"{base}: {said}", status=status)


def _unreachable(base: str, reason: object) -> StarlingError:
    if isinstance(reason, ssl.SSLCertVerificationError):
        why = f"the certificate of {base} cannot be trusted ({reason.verify_message})"
        return Unreachable(f"{why}; if it is yours, name its authority with --ca")
    if isinstance(reason, ssl.SSLError):
        return Unreachable(f"{base} does not speak TLS as expected ({reason.reason}); if it serves none, use http://")
    if isinstance(reason, TimeoutError):
        return Unreachable(f"{base} did not answer within {TIMEOUT:g} s")
    if isinstance(reason, ConnectionResetError):
        return Refused(f"{base} does not answer as an HTTP server; if it serves TLS, use https://", status=0)
    detail = reason.strerror or reason if isinstance(reason, OSError) else reason
    return Unreachable(f"nobody answers at {base} ({detail}): is the server running? `starling serve` starts one")
