"""The work of ``starling sessions list``: a table of sessions, once or again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from starling.cli.interrupts import interrupts
from starling.cli.report import complain, printable
from starling.cli.tables import print_rows, rows_table
from starling.client.errors import Unreachable
from starling.client.oversight import Overseer, SessionSeen, SessionsSeen

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at a server that is watched."""

HEADERS: Final = ("id", "tenant", "priority", "state", "recognizer", "language", "age", "audio", "lag", "backlog")
GATEWAY: Final = "gateway"


def show(seen: SessionsSeen, *, as_json: bool) -> None:
    """Sessions on stdout; as a table of nothing but its headers where there are none. Who is silent, on stderr."""
    if as_json:
        typer.echo(msgspec.json.encode(seen.sessions).decode())
    else:
        print_rows(headers(seen.sessions), rows(seen.sessions, datetime.now(UTC)))
    if seen.silent:
        complain(missing(seen))


def missing(seen: SessionsSeen) -> str:
    """For a person: whose sessions are not shown. Empty if all are."""
    return f"sessions are missing: no answer of {', '.join(seen.silent)}" if seen.silent else ""


def headers(sessions: Sequence[SessionSeen]) -> tuple[str, ...]:
    """Those of the table. Where all are at one gateway nobody needs to know at which."""
    return (*HEADERS, GATEWAY) if _spread(sessions) else HEADERS


def _spread(sessions: Sequence[SessionSeen]) -> bool:
    return len({one.gateway for one in sessions}) > 1


def rows(sessions: Sequence[SessionSeen], now: datetime) -> list[tuple[str, ...]]:
    """What the table says of each. ``now``: with its time zone."""
    spread = _spread(sessions)
    return [
        (
            one.session_id,
            one.tenant or "-",
            one.priority,
            one.state,
            one.worker or "-",
            one.language,
            _duration((now - datetime.fromisoformat(one.connected)).total_seconds()),
            _duration(one.audio_seconds),
            f"{one.lag_seconds:.1f} s",
            f"{one.backlog}",
            *((one.gateway or "-",) if spread else ()),
        )
        for one in sessions
    ]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def watch_sessions(overseer: Overseer, *, as_json: bool) -> None:
    """Show them each second until Ctrl-C or SIGTERM: in place on a terminal, and elsewhere one after the other.

    A server that does not answer is waited for, but at the first time. Raises what ``Overseer.sessions`` does for other reasons.
    """
    first = overseer.sessions()
    with Live(auto_refresh=False) as live:
        if as_json or not live.console.is_terminal:
            asyncio.run(_watch(overseer, first, lambda seen: show(seen, as_json=as_json), complain))
        else:
            asyncio.run(_watch(overseer, first, lambda seen: _paint(live, seen), lambda why: _note(live, why)))


async def _watch(
    overseer: Overseer,
    seen: SessionsSeen,
    tell: Callable[[SessionsSeen], None],
    fail: Callable[[str], None],
) -> None:
    with interrupts() as stop:
        tell(seen)
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), LOOK_EVERY)
            except TimeoutError:
                try:
                    tell(await asyncio.to_thread(overseer.sessions))
                except Unreachable as error:
                    fail(error.message)


def _paint(live: Live, seen: SessionsSeen) -> None:
    live.update(rows_table(headers(seen.sessions), rows(seen.sessions, datetime.now(UTC))), refresh=True)
    if seen.silent:
        _note(live, missing(seen))


def _note(live: Live, why: str) -> None:
    """Below what was seen last."""
    shown: RenderableType = live.renderable
    before = shown.renderables[0] if isinstance(shown, Group) else shown
    live.update(Group(before, Text(printable(why), style="yellow")), refresh=True)
