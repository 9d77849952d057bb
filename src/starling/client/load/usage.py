"""What a server says of its own CPU, at ``/metrics``: it may be on another machine."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Mapping
from typing import Final
from urllib.error import URLError

from starling.client.load.line import Place

CPU: Final = re.compile(r'^process_cpu_seconds_total(?:\{process="(?P<process>[^"]*)"\})? (?P<seconds>\S+)$', re.MULTILINE)

LONGEST: Final = 8 << 20
"""Bytes of metrics at most."""

TIMEOUT: Final = 10.0


def cpu_seconds(place: Place) -> Mapping[str, float] | None:
    """CPU seconds that each process of the server has used, by its role; None where the server does not say. It blocks.

    ``place``: of the server's main port. A server of one process is called ``server``.
    """
    url = f"http{'' if place.tls is None else 's'}://{place.authority}/metrics"
    headers = {} if place.api_key is None else {"Authorization": f"Bearer {place.api_key}"}
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if place.tls is not None:
        handlers.append(urllib.request.HTTPSHandler(context=place.tls))
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - http or https, see above
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT) as answer:
            page: str = answer.read(LONGEST).decode()
    except (URLError, OSError, ValueError):
        return None
    return parsed(page)


def parsed(page: str) -> Mapping[str, float] | None:
    """The same of a page of metrics. ``worker-0`` and ``worker-1`` are both ``worker``."""
    found: dict[str, float] = {}
    for match in CPU.finditer(page):
        role = re.sub(r"-\d+$", "", match["process"] or "server")
        found[role] = found.get(role, 0.0) + float(match["seconds"])
    return found or None


def spent(before: Mapping[str, float] | None, after: Mapping[str, float] | None) -> Mapping[str, float] | None:
    """Between the two; None where either is not known."""
    if before is None or after is None:
        return None
    return {role: max(0.0, seconds - before.get(role, 0.0)) for role, seconds in after.items()}
