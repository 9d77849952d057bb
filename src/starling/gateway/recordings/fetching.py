"""Recordings that are somewhere else: fetched through the guarded way out, within bounds of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import unquote, urlsplit

from starling.core.errors import FrameTooLarge
from starling.gateway.recordings.desk import Desk
from starling.gateway.recordings.egress import Unreached
from starling.gateway.recordings.reception import Stored

OK: Final = 200


async def fetch(desk: Desk, url: str, name: str | None = None) -> Stored:
    """The recording at ``url``. Raises Forbidden, InvalidOption, Unreached and FrameTooLarge."""
    desk.intake.check_urls("url")
    options = desk.options
    try:
        async with asyncio.timeout(options.fetch_timeout), desk.egress.get(url, idle=options.idle_timeout) as answer:
            if answer.status != OK:
                raise Unreached(f"expected a recording at the URL, got HTTP {answer.status}: check it, or try again later")
            declared = answer.headers.get("content-length", "")
            if declared.isdigit() and int(declared[:18]) > options.max_bytes:
                raise FrameTooLarge(f"a recording must have at most {options.max_bytes} bytes, the one at the URL has more")
            return await desk.reception.fetched(_bytes(answer.body), name or _name(url))
    except TimeoutError:
        raise Unreached(f"the recording at the URL did not come within {options.fetch_timeout:g} s") from None


async def _bytes(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for chunk in body:
        yield chunk


def _name(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2], errors="replace")
