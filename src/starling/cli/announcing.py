"""What ``starling serve`` says once it serves: where it is, what it asks of clients, and where each protocol is spoken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from starling.cli.reach import exposure, for_others, outward, to_open
from starling.gateway.options import GatewayOptions


def warning(options: GatewayOptions) -> str | None:
    """That others reach a server with ``options`` which asks them for nothing; None where that is not so."""
    hosts = [options.host, *([options.protocols_host] if options.protocols else [])]
    asks = options.keys_file is not None
    return next(filter(None, (exposure(host, asks_for_keys=asks) for host in hosts)), None)


def announcement(options: GatewayOptions, url: str, ports: Mapping[str, int]) -> Iterator[str]:
    """Line by line. ``url``: where a server with ``options`` has its console; ``ports``: of dialects that have their own."""
    here, others = to_open(url), for_others(url, (*options.allowed_hosts, *outward()))
    yield f"Starling listens on {here} (Ctrl-C ends)"
    if here != url:
        yield f"Others reach it at {others or f'any address of this machine, port {urlsplit(url).port}'}"
    if options.keys_file is not None:
        yield f"It asks for API keys, those in {options.keys_file}: clients show theirs with STARLING_API_KEY"
    parts = urlsplit(others or here)
    secure = "wss" if parts.scheme == "https" else "ws"
    for spoken in options.protocols:
        dialect = spoken.dialect
        if (port := ports.get(dialect.name)) is not None:
            yield f"{dialect.name} clients find it at port {port} of {options.protocols_host}"
        else:
            for path in dialect.paths:
                yield f"{dialect.name} clients find it at {secure}://{parts.netloc}{path}"
