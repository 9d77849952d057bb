"""The way to an OpenTelemetry collector: one message over HTTP, and what became of it."""

from __future__ import annotations

import gzip
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starling.core.errors import InvalidOption
from starling.telemetry.endpoint import CollectorOptions

LONGEST_ANSWER: Final = 65_536
"""Bytes of an answer that are read."""

WHOLE: Final = 30.0
"""Seconds in which an answer is there whole, however often a piece of it comes: one that never ends would hold up all spans."""

LATER: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that may be better the next time. OTLP leaves out 408 and 500, which proxies say while a collector starts."""

LONGEST_WAIT: Final = 60.0
"""Seconds that a collector may ask to be left alone."""


class NotTaken(Exception):
    """A message was not taken. ``again``: it may be the next time, ``wait`` seconds later at the earliest, if they were named."""

    def __init__(self, reason: str, *, again: bool, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.wait = wait


class Collector:
    """A connection to a collector that is kept between messages. For one thread. Raises InvalidOption where ``ca`` is no good."""

    def __init__(self, options: CollectorOptions) -> None:
        self._options = options
        parts = urlsplit(options.url)
        self._path = parts.path or "/"
        self._host, self._port = parts.hostname or "", parts.port
        self._context = _trust(options.ca) if parts.scheme == "https" else None
        self._headers = {"Content-Type": "application/x-protobuf", "User-Agent": "starling", **options.headers}
        if options.gzip:
            self._headers["Content-Encoding"] = "gzip"
        self._connection: http.client.HTTPConnection | None = None

    def post(self, message: bytes) -> bytes:
        """Send ``message``; the answer. Raises NotTaken."""
        body = gzip.compress(message, 1) if self._options.gzip else message
        kept = self._connection is not None
        try:
            try:
                response, answer = self._ask(body)
            except (ConnectionError, http.client.RemoteDisconnected):
                if not kept:
                    raise
                self.close()  # it was closed at the other end while nothing was sent
                response, answer = self._ask(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise NotTaken(_reason(error), again=True) from error
        if len(answer) > LONGEST_ANSWER or response.will_close:
            self.close()
        if 200 <= response.status < 300:  # noqa: PLR2004 - as HTTP has it
            return answer
        raise NotTaken(
            f"status {response.status}", again=response.status in LATER, wait=_seconds(response.getheader("Retry-After"))
        )

    def close(self) -> None:
        """Nothing more is sent for now."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None

    def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request("POST", self._path, body, self._headers)
        with _cut_after(WHOLE, self._connection.sock), closing(self._connection.getresponse()) as response:
            return response, response.read(LONGEST_ANSWER + 1)

    def _connect(self) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._options.timeout)
        return http.client.HTTPSConnection(self._host, self._port, timeout=self._options.timeout, context=self._context)


@contextmanager
def _cut_after(limit: float, sock: socket.socket) -> Iterator[None]:
    """End the connection where the block takes longer than ``limit`` seconds; then raises TimeoutError, whatever was read."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(limit, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError


def _trust(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:  # which SSLError is, too
        found = error.strerror or "something else"
        raise InvalidOption(f"telemetry.otlp_ca: expected certificates in PEM at {ca}, got: {found}") from error


def _reason(error: OSError | http.client.HTTPException) -> str:
    """Why, in words that quote nothing of what came."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is no good: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _seconds(retry_after: str | None) -> float:
    return min(float(retry_after), LONGEST_WAIT) if retry_after and retry_after.isdecimal() and retry_after.isascii() else 0.0
