"""A collector of spans that tests ask what it was told: OTLP over HTTP, on a port of its own, as good or bad as they want it."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

PATIENCE = 60.0

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Told:
    """One span, as it was told. Ids as W3C writes them; ``parent`` is empty for none. Times in seconds."""

    name: str
    trace: str
    span: str
    parent: str
    state: str
    kind: int
    start: float
    end: float
    error: str
    attributes: dict[str, Value]
    events: tuple[str, ...]
    resource: dict[str, Value] = field(repr=False)

    @property
    def role(self) -> Value:
        return self.resource["starling.role"]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 200
    body: bytes = ExportTraceServiceResponse().SerializeToString()
    raw: bytes | None = None
    """What is sent instead of a response of HTTP."""
    retry_after: str = ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who tells may be killed meanwhile."""


class SpanCollector:
    """``url`` leads to it. ``answer`` says how a request is answered, by its number; requests that get 200 were taken."""

    def __init__(self, answer: Callable[[int], Answer] = lambda _: Answer(), port: int = 0) -> None:
        self.answer = answer
        self.spans: list[Told] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.asked = 0
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def until(self, true: Callable[[list[Told]], object], patience: float = PATIENCE) -> list[Told]:
        """Wait until ``true`` is of all that was told; then that."""
        deadline = time.monotonic() + patience
        with self._changed:
            while not true(self.spans):
                left = deadline - time.monotonic()
                assert left > 0, f"told were {[(told.name, told.role) for told in self.spans]}"
                self._changed.wait(left)
            return list(self.spans)

    def until_asked(self, times: int, patience: float = PATIENCE) -> None:
        deadline = time.monotonic() + patience
        with self._changed:
            while self.asked < times:
                left = deadline - time.monotonic()
                assert left > 0, f"asked {self.asked} times"
                self._changed.wait(left)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with collector._changed:
                    number, collector.asked = collector.asked, collector.asked + 1
                    collector._changed.notify_all()
                answer = collector.answer(number)
                if answer.raw is not None:
                    self.wfile.write(answer.raw)
                    self.close_connection = True
                    return
                if answer.status == 200:
                    collector._take(self.path, dict(self.headers), body)
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(answer.body)))
                if answer.retry_after:
                    self.send_header("Retry-After", answer.retry_after)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base has it
                pass

        return Handler

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        assert path == "/v1/traces"
        assert headers["Content-Type"] == "application/x-protobuf"
        message = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        request = ExportTraceServiceRequest.FromString(message)
        with self._changed:
            self.bodies.append(message)
            self.headers.append(headers)
            for source in request.resource_spans:
                resource = _attributes(source.resource.attributes)
                for scope in source.scope_spans:
                    self.spans += [_told(span, resource) for span in scope.spans]
            self._changed.notify_all()


def _told(span: Any, resource: dict[str, Value]) -> Told:
    assert len(span.trace_id) == 16
    assert len(span.span_id) == 8
    assert len(span.parent_span_id) in {0, 8}
    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
    return Told(
        name=span.name,
        trace=span.trace_id.hex(),
        span=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        state=span.trace_state,
        kind=span.kind,
        start=span.start_time_unix_nano / 1e9,
        end=span.end_time_unix_nano / 1e9,
        error=span.status.message,
        attributes=_attributes(span.attributes),
        events=tuple(event.name for event in span.events),
        resource=resource,
    )


def _attributes(attributes: Iterable[Any]) -> dict[str, Value]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


def roots(spans: Iterable[Told]) -> list[Told]:
    """Those whose parent is not among ``spans``. A connected tree has one."""
    known = {told.span for told in spans}
    return [told for told in spans if told.parent not in known]
