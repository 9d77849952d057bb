"""Spans on their way to a collector that works, and to those that do not."""

from __future__ import annotations

import io
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from span_collector import Answer, SpanCollector
from starling.core.errors import InvalidOption
from starling.core.tracing import SpanContext, new_trace_id
from starling.telemetry import collector, exporting
from starling.telemetry.collector import Collector, NotTaken
from starling.telemetry.endpoint import CollectorOptions, endpoint_of, headers_of
from starling.telemetry.exporting import SpanExporter
from starling.telemetry.logs import LogFormat, LogOptions, configure_logging
from starling.telemetry.metrics import Metrics
from starling.telemetry.spans import SpanName, Tracer

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATHER", "FIRST_WAIT", "LONGEST_WAIT"):
        monkeypatch.setattr(exporting, name, 0.01)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, object]]]]:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging(LogOptions(format=LogFormat.JSON), stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    monkeypatch.undo()
    configure_logging(LogOptions())


class Exporting:
    """An exporter, and a tracer that tells it."""

    def __init__(self, url: str, **options: object) -> None:
        self.metrics = Metrics()
        chosen = CollectorOptions(url=endpoint_of(url), **options)  # type: ignore[arg-type]
        self.exporter = SpanExporter(chosen, {"service.name": "starling", "starling.role": "test"}, self.metrics)
        self._tracer = Tracer(self.exporter.export)

    def tell(self, count: int = 1) -> None:
        for number in range(count):
            context = SpanContext(trace_id=new_trace_id(), span_id="b7ad6b7169203331")
            span = self._tracer.begin(context, SpanName.SEGMENT)
            span.set({"starling.segment.id": number})
            span.end()

    def counted(self, outcome: str) -> float:
        return self.metrics.registry.get_sample_value("starling_spans_total", {"outcome": outcome}) or 0.0

    def close(self) -> None:
        self.exporter.close(PATIENCE)


@pytest.mark.parametrize("gzip", [False, True])
def test_spans_are_told_together_with_what_the_headers_say(*, gzip: bool) -> None:
    with SpanCollector() as collector:
        it = Exporting(collector.url, headers={"x-api-key": "s3cret"}, gzip=gzip)
        it.tell(3)
        it.close()
        assert sorted(told.attributes["starling.segment.id"] for told in collector.spans) == [0, 1, 2]
        assert {headers["x-api-key"] for headers in collector.headers} == {"s3cret"}
        assert it.counted("exported") == 3


def test_no_thread_begins_before_there_is_something_to_tell() -> None:
    it = Exporting("http://127.0.0.1:1")
    assert not any(thread.name == "spans" for thread in threading.enumerate())
    it.close()


@pytest.mark.parametrize(
    "bad",
    [
        Answer(status=500),
        Answer(status=503, retry_after="0"),
        Answer(status=429),
        Answer(raw=b"\x00\x01 garbage \xff\r\n\r\n"),
        Answer(raw=b""),
        Answer(raw=b"HTTP/1.1 2"),
    ],
    ids=["500", "503", "429", "garbage", "nothing", "half"],
)
def test_what_was_not_taken_is_told_again(bad: Answer, log: Callable[[], list[dict[str, object]]]) -> None:
    with SpanCollector(lambda number: bad if number < 2 else Answer()) as collector:
        it = Exporting(collector.url)
        it.tell()
        collector.until(lambda spans: spans)
        it.close()
        assert it.counted("exported") == 1
        assert len(collector.spans) == 1
    assert [line["event"] for line in log()] == ["spans not exported", "spans exported again"], "once for each change"


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"x-more: and more\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"."),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\nConnection: close\r\n\r\n", b"."),
    ],
    ids=["continue", "headers", "body", "closing"],
)
def test_an_answer_without_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, first: bytes, piece: bytes) -> None:
    monkeypatch.setattr(collector, "WHOLE", 0.2)

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(first)
            while True:
                connection.sendall(piece)
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        it = Collector(CollectorOptions(url=endpoint_of(f"http://127.0.0.1:{listener.getsockname()[1]}")))
        with pytest.raises(NotTaken) as refused:
            it.post(b"spans")
        assert refused.value.again
        it.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.mark.parametrize("status", [301, 400, 401, 404])
def test_what_is_refused_for_good_is_not_told_again(status: int) -> None:
    with SpanCollector(lambda number: Answer(status=status) if number == 0 else Answer()) as collector:
        it = Exporting(collector.url)
        it.tell(2)
        collector.until_asked(1)
        it.close()
        assert it.counted("refused") + it.counted("exported") == 2
        assert it.counted("refused") >= 1


def test_a_garbled_answer_of_success_is_success() -> None:
    with SpanCollector(lambda _: Answer(body=b"\xff\xff garbage" * 20_000)) as collector:
        it = Exporting(collector.url)
        it.tell()
        collector.until(lambda spans: spans)
        it.tell()
        it.close()
        assert it.counted("exported") == 2


def test_a_collector_that_is_not_there_costs_nothing_but_spans(
    monkeypatch: pytest.MonkeyPatch, log: Callable[[], list[dict[str, object]]]
) -> None:
    monkeypatch.setattr(exporting, "ROOM", 50)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        it = Exporting(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        it.tell(10_000)
        assert len(it.exporter._waiting) <= 50
        it.exporter.close(0.0)
    it.tell()
    assert it.counted("dropped") >= 10_000 - 50 - 50 + 1
    assert it.counted("exported") == 0
    assert len([line for line in log() if line["event"] == "spans not exported"]) <= 1


def test_a_collector_that_never_answers_does_not_keep_a_process_from_ending() -> None:
    hold = threading.Event()

    def never(_: int) -> Answer:
        hold.wait(PATIENCE)
        return Answer()

    with SpanCollector(never) as collector:
        it = Exporting(collector.url)
        it.tell()
        collector.until_asked(1)
        it.tell(5)
        it.exporter.close(0.05)
        assert it.counted("dropped") == 5, "what had not been sent"
        hold.set()


def test_a_kept_connection_that_was_closed_is_no_failure(log: Callable[[], list[dict[str, object]]]) -> None:
    with SpanCollector() as collector:
        options = CollectorOptions(url=endpoint_of(collector.url))
        way = Collector(options)
        way.post(b"")
        assert way._connection is not None
        assert way._connection.sock is not None
        way._connection.sock.shutdown(socket.SHUT_RDWR)
        way.post(b"")
        way.close()
        assert collector.asked == 2
    assert not log()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://localhost:4318", "http://localhost:4318/v1/traces"),
        ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
        ("https://otel.example.org/team/", "https://otel.example.org/team/v1/traces"),
        ("https://otel.example.org/v1/traces", "https://otel.example.org/v1/traces"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
    ],
)
def test_an_endpoint_is_the_base_of_a_collector(given: str, url: str) -> None:
    assert endpoint_of(given) == url


@pytest.mark.parametrize(
    "given", ["localhost:4318", "grpc://localhost:4317", "http://", "http://host:port", "http://me:secret@host", "http://h/?a=b"]
)
def test_what_is_no_endpoint_is_refused_without_quoting_it(given: str) -> None:
    with pytest.raises(InvalidOption, match=r"^telemetry\.otlp_endpoint: ") as refused:
        endpoint_of(given)
    assert "secret" not in refused.value.message


def test_headers_are_read_as_the_standard_has_them() -> None:
    assert headers_of("api-key=a%20b, x-team = 7,") == {"api-key": "a b", "x-team": "7"}
    assert headers_of("authorization=Basic%20Zm9v==") == {"authorization": "Basic Zm9v=="}
    for wrong in ("secret", "=secret", "na me=secret", "key=secret%0d%0aX: 1", "key=s\u00e4cret"):
        with pytest.raises(InvalidOption) as refused:
            headers_of(wrong)
        assert "secret" not in refused.value.message


def test_certificates_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"telemetry\.otlp_ca"):
        Collector(CollectorOptions(url="https://localhost/v1/traces", ca=tmp_path / "none.pem"))
