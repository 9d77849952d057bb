"""A live session in the terminal: what ``stream``, ``mic`` and ``demo`` share.

Ctrl-C ends the session properly: what was heard is still recognised and shown. A second Ctrl-C ends at once.
"""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from starling.cli.interrupts import interrupts
from starling.cli.report import complain
from starling.client import connect, converse
from starling.client.latency import Latency
from starling.client.line import Link
from starling.client.options import Options
from starling.client.presenting import FinalLines, JsonLines, LiveCaptions, Presenter
from starling.client.terminal import LiveText, Size
from starling.core.audio import AudioFormat, Samples
from starling.protocols.native.messages import Result, ServerMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of a session: its finals, whether Ctrl-C ended it early, and in a line how soon its captions came."""

    finals: list[str]
    interrupted: bool
    latency: str


def is_live(stream: TextIO) -> bool:
    """Whether ``stream`` is a terminal on which rows can be rewritten."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def presenter(*, as_json: bool) -> Presenter:
    """How messages are shown on this process's stdout."""
    if as_json:
        return JsonLines(_write)
    if is_live(sys.stdout):
        return LiveCaptions(LiveText(_write, _size), complain)
    return FinalLines(_write, complain)


def wanted(options: Options, *, as_json: bool) -> Options:
    """``options`` without partials, unless they were asked for, where nobody would see them."""
    unseen = not as_json and not is_live(sys.stdout)
    return {"partials": False, **options} if unseen else options


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a server is shown, and what vouches for it. See ``connect``."""

    api_key: str | None = field(default=None, repr=False)
    ca: Path | None = None


async def caption(
    url: str,
    audio: AsyncIterable[Samples | bytes],
    shown: Presenter,
    options: Options,
    *,
    encoded: AudioFormat | None = None,
    credentials: Credentials | None = None,
) -> Heard:
    """Send ``audio`` (encoded as ``encoded``; ``Samples`` if None) to the server at ``url`` and show what comes back.

    The first Ctrl-C or SIGTERM stops the audio, not the captions. Raises what ``connect`` and ``converse`` do.
    """
    finals: list[str] = []
    shows = credentials or Credentials()
    async with connect(
        url, audio=encoded or AudioFormat(), api_key=shows.api_key, ca=shows.ca, notice=_tell, **options
    ) as session:
        shown.show(session.ready)
        latency = Latency()

        def handle(message: ServerMessage) -> None:
            if isinstance(message, Result):
                latency.update(message)
                if message.is_final:
                    finals.append(message.text)
            shown.show(message)

        with interrupts() as stop, quiet_keyboard():
            try:
                await converse(session, audio, handle, stop=stop)
            except BaseException:
                shown.close(failed=True)
                raise
            shown.close()
    waited = session.ready.endpoint_silence_ms / 1000
    return Heard(finals=finals, interrupted=stop.is_set(), latency=latency.summary(waited))


def _tell(link: Link) -> None:
    complain("connection lost, reconnecting..." if link is Link.LOST else "connected again")


@contextmanager
def quiet_keyboard() -> Iterator[None]:
    """Keys (and the ^C of Ctrl-C) are not echoed into the captions, where the terminal is ours to set."""
    if not (sys.stdin.isatty() and is_live(sys.stdout)):
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = list(before)
    quiet[3] &= ~termios.ECHO  # the local modes
    termios.tcsetattr(descriptor, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _size() -> Size:
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return Size(80, 24)
    return Size(columns or 80, rows or 24)  # a terminal that does not know says 0
