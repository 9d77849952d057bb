"""What traces cost a server: the same sessions by turns at two servers, one of which tells a collector; CPU of all processes.

::

    python -m bench.tracing --sessions 40 --rounds 5 --json bench/results/tracing.json

Besides, what one span costs from its beginning until a collector has it: of that there is too little in a session to be seen
beside the noise of a machine. The engine is the scripted one unless ``--set`` says otherwise, so what is measured is what the
platform adds to a model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.machine import as_text, cpu_seconds, describe
from bench.server import own_server
from starling.cli.bench import default_recordings
from starling.cli.eventloop import run
from starling.client import connect
from starling.client.conversation import converse
from starling.core.audio import SAMPLE_RATE, Samples, seconds
from starling.core.tracing import SpanContext, new_span_id, new_trace_id
from starling.protocols.native.messages import Result, ServerMessage
from starling.telemetry.endpoint import CollectorOptions, endpoint_of
from starling.telemetry.exporting import ROOM, SpanExporter
from starling.telemetry.metrics import Metrics
from starling.telemetry.spans import SpanName, Tracer

CHUNK: Final = SAMPLE_RATE // 10

AT_ONCE: Final = 4
"""Sessions at a time."""

SETTLE: Final = 1.0
"""Seconds after a round in which what was gathered is told: longer than spans are gathered."""


SPANS: Final = 20_000
"""That are told to find what one costs."""


class Receiver:
    """A collector that counts. ``url`` leads to it."""

    def __init__(self) -> None:
        self.messages = self.bytes = self.spans = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = ExportTraceServiceRequest.FromString(body)
                receiver.messages += 1
                receiver.bytes += len(body)
                receiver.spans += sum(len(scope.spans) for one in request.resource_spans for scope in one.scope_spans)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base has it
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take spans while the block runs."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()


async def measure(arguments: argparse.Namespace) -> None:
    """Rounds by turns; print, and write what was asked for."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    sound = max(default_recordings(), key=len)
    receiver = Receiver()
    chosen = ["STARLING_ENGINE__NAME=scripted", *arguments.set]
    told = [*chosen, f"STARLING_TELEMETRY__OTLP_ENDPOINT={receiver.url}"]
    off: list[float] = []
    on: list[float] = []
    segments = 0
    with receiver.listening():
        async with own_server(settings=chosen, workers=1) as silent, own_server(settings=told, workers=1) as telling:
            for number in range(arguments.rounds + 1):
                for server, costs in ((silent, off), (telling, on)) if number % 2 else ((telling, on), (silent, off)):
                    before = cpu_seconds(server.pid)
                    segments = await sessions(server.url, sound, arguments.sessions)
                    await asyncio.sleep(SETTLE)
                    if number:  # the first round warms up
                        costs.append(cpu_seconds(server.pid) - before)
    each = await asyncio.to_thread(cost_of_a_span)
    ratios = [traced / untraced for traced, untraced in zip(on, off, strict=True)]
    added = [traced - untraced for traced, untraced in zip(on, off, strict=True)]
    result = {
        "machine": asdict(machine),
        "settings": chosen,
        "sessions": arguments.sessions,
        "segments": segments,
        "audio": seconds(len(sound)) * arguments.sessions,
        "rounds": arguments.rounds,
        "off": off,
        "on": on,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "added_ms_per_session": 1000 * statistics.median(added) / arguments.sessions,
        "added_ms_per_segment": 1000 * statistics.median(added) / segments,
        "cpu_us_per_span": 1e6 * each,
        "spans": receiver.spans,
        "messages": receiver.messages,
        "bytes_per_span": receiver.bytes / max(1, receiver.spans),
    }
    print(json.dumps({name: value for name, value in result.items() if name != "machine"}, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))


def cost_of_a_span() -> float:
    """CPU seconds of this process, all threads, for each of ``SPANS`` that a collector in another process takes."""
    with multiprocessing.get_context("spawn").Manager() as manager:
        url = manager.Queue()
        collector = multiprocessing.get_context("spawn").Process(target=_collect, args=(url,), daemon=True)
        collector.start()
        exporter = SpanExporter(CollectorOptions(url=endpoint_of(url.get())), {"service.name": "starling"}, Metrics())
        tracer, session = Tracer(exporter.export), SpanContext(trace_id=new_trace_id(), span_id=new_span_id())
        began = time.process_time()
        for first in range(0, SPANS, ROOM // 2):
            for number in range(first, min(first + ROOM // 2, SPANS)):
                span = tracer.below(session, SpanName.SEGMENT)
                span.set(
                    {
                        "starling.session.id": "5f0c6c0d9e3a4b17",
                        "starling.segment.id": number,
                        "starling.audio_seconds": 2.5,
                        "starling.compute_seconds": 0.1,
                        "starling.latency_seconds": 0.05,
                        "starling.word_count": 12,
                        "starling.model": "moonshine-tiny-en",
                        "starling.outcome": "text",
                    }
                )
                span.end()
            while exporter.waiting:
                time.sleep(0.01)
        exporter.close(SETTLE)
        spent = time.process_time() - began
        collector.kill()
        return spent / SPANS


def _collect(url: Any) -> None:
    receiver = Receiver()
    with receiver.listening():
        url.put(receiver.url)
        threading.Event().wait()


async def sessions(url: str, sound: Samples, count: int) -> int:
    """So many, some at a time, as fast as they go. How many segments they had together."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one() -> int:
        finals = 0

        def heard(message: ServerMessage) -> None:
            nonlocal finals
            finals += isinstance(message, Result) and message.is_final

        async with free, connect(url) as session:
            await converse(session, _spoken(sound), heard)
        return finals

    return sum(await asyncio.gather(*(one() for _ in range(count))))


async def _spoken(sound: Samples) -> AsyncIterator[Samples]:
    for start in range(0, len(sound), CHUNK):
        yield sound[start : start + CHUNK]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=40, help="sessions of a round (default: 40)")
    parser.add_argument("--rounds", type=int, default=5, help="how often (default: 5)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="environment variable of both servers")
    parser.add_argument("--json", type=Path, help="write the results here")
    run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
