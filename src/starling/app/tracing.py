"""Traces out of a process: what its settings say of them, and a tracer for as long as it runs.

Nothing of OpenTelemetry is loaded unless there is a collector to tell, and no thread begins before there is something to say:
so a process may be copied until then.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Final
from urllib.parse import unquote

from starling.config.groups.telling import Compression
from starling.config.settings import Settings
from starling.core.errors import InvalidOption
from starling.telemetry.endpoint import CollectorOptions, endpoint_of, headers_of
from starling.telemetry.metrics import Metrics
from starling.telemetry.spans import NO_TRACER, Tracer
from starling.version import __version__

FLUSH: Final = 2.0
"""Seconds that a process which ends gives to what it has not told yet."""

_NAME: Final = re.compile(r"[A-Za-z0-9_.\-/]{1,128}")


def collector_options(settings: Settings) -> CollectorOptions | None:
    """Where spans go; None where nobody wants them. Raises InvalidOption for settings that are wrong."""
    chosen = settings.telemetry
    if chosen.otlp_endpoint is None:
        return None
    options = CollectorOptions(
        url=endpoint_of(chosen.otlp_endpoint),
        headers=headers_of(chosen.otlp_headers or ""),
        timeout=chosen.otlp_timeout,
        gzip=chosen.otlp_compression is Compression.GZIP,
        ca=chosen.otlp_ca,
    )
    _resource(settings, "")
    return options


def check_tracing(settings: Settings) -> None:
    """Raises InvalidOption for settings that are wrong, those of certificates too, before any process is started by them."""
    options = collector_options(settings)
    if options is not None:
        from starling.telemetry.collector import Collector  # noqa: PLC0415 - who exports nothing does not load it

        Collector(options)  # which connects to nobody yet


def load_tracing(settings: Settings) -> None:
    """Load what exports spans, if they are exported, so that a process has it which is copied from this one. No thread begins."""
    if settings.telemetry.otlp_endpoint is not None:
        import_module("starling.telemetry.exporting")


@asynccontextmanager
async def tracing(settings: Settings, metrics: Metrics, role: str) -> AsyncIterator[Tracer]:
    """A tracer for as long as the block runs; what it was told goes out at the end, if it can within ``FLUSH`` seconds.

    Raises InvalidOption for settings that are wrong.
    """
    options = collector_options(settings)
    if options is None:
        yield NO_TRACER
        return
    from starling.telemetry.exporting import SpanExporter  # noqa: PLC0415 - who exports nothing does not load it

    exporter = SpanExporter(options, _resource(settings, role), metrics)
    try:
        yield Tracer(exporter.export, ratio=settings.telemetry.sampling_ratio)
    finally:
        await asyncio.to_thread(exporter.close, FLUSH)


def _resource(settings: Settings, role: str) -> dict[str, str]:
    """What is said of this process. A copy of another has a name of its own."""
    given: dict[str, str] = {}
    for member in settings.telemetry.resource:
        name, equals, value = member.partition("=")
        value = unquote(value.strip())
        if not equals or not _NAME.fullmatch(name.strip()) or not value.isprintable():
            raise InvalidOption(
                "telemetry.resource: expected name=value, as deployment.environment.name=production; got another form"
            )
        given[name.strip()] = value
    return given | {
        "service.name": settings.telemetry.service_name,
        "service.version": __version__,
        "service.instance.id": f"{platform.node()}-{os.getpid()}-{secrets.token_hex(3)}",
        "host.name": platform.node(),
        "process.pid": str(os.getpid()),
        "starling.role": role,
    }
