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
from starling.client.oversight import Operator, SessionSeen

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at a server that is watched."""

HEADERS: Final = ("id", "tenant", "priority", "state", "recognizer", "language", "age", "audio", "lag", "backlog")


def show(sessions: Sequence[SessionSeen], *, as_json: bool) -> None:
    """``sessions`` on stdout; as a table of nothing but its headers where there are none."""
    if as_json:
        typer.echo(msgspec.json.encode(sessions).decode())
    else:
        print_rows(HEADERS, rows(sessions, datetime.now(UTC)))


def rows(sessions: Sequence[SessionSeen], now: datetime) -> list[tuple[str, ...]]:
    """What the table says of each. ``now``: with its time zone."""
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
        )
        for one in sessions
    ]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def watch_sessions(operator: Operator, *, as_json: bool) -> None:
    """Show them each second until Ctrl-C or SIGTERM: in place on a terminal, and elsewhere one after the other.

    A server that does not answer is waited for, but at the first time. Raises what ``Operator.sessions`` does for other reasons.
    """
    first = operator.sessions()
    with Live(auto_refresh=False) as live:
        if as_json or not live.console.is_terminal:
            asyncio.run(_watch(operator, first, lambda seen: show(seen, as_json=as_json), complain))
        else:
            asyncio.run(_watch(operator, first, lambda seen: _paint(live, seen), lambda why: _note(live, why)))


async def _watch(
    operator: Operator,
    seen: Sequence[SessionSeen],
    tell: Callable[[Sequence[SessionSeen]], None],
    fail: Callable[[str], None],
) -> None:
    with interrupts() as stop:
        tell(seen)
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), LOOK_EVERY)
            except TimeoutError:
                try:
                    tell(await asyncio.to_thread(operator.sessions))
                except Unreachable as error:
                    fail(error.message)


def _paint(live: Live, seen: Sequence[SessionSeen]) -> None:
    live.update(rows_table(HEADERS, rows(seen, datetime.now(UTC))), refresh=True)


def _note(live: Live, why: str) -> None:
    """Below what was seen last."""
    shown: RenderableType = live.renderable
    before = shown.renderables[0] if isinstance(shown, Group) else shown
    live.update(Group(before, Text(printable(why), style="yellow")), refresh=True)
