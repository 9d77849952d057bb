"""``starling demo``: a server, and a recording captioned through it as if it were spoken now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = (
    "starling demo",
    "starling demo --once",
    "starling demo --file talk.mp3 --port 9000",
)


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Stop after the recording; fail unless the text was right.")] = False,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Another recording.", show_default="A Tale of Two Cities")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="PORT", min=0, max=65535, help="TCP port; 0 takes a free one.", show_default="8000"),
    ] = None,
) -> int:
    """Caption a recording live through a server of its own.

    Starts a server, sends the recording through its WebSocket in real time, and goes on serving until Ctrl-C.

    The recording is the opening of A Tale of Two Cities, read aloud. With --once the command ends after it: with 0 if the
    text was right, with 1 if not (the text of another --file is not judged). Where port 8000 is taken, --once uses a free
    one.
    """
    from starling.cli.demonstration import demonstrate
    from starling.cli.eventloop import run

    return run(demonstrate(once=once, file=file, port=port))
