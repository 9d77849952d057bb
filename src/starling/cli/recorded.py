"""A recording named on the command line as a stream of chunks: a path, or ``-`` for standard input."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from starling.audio import duration, read_recording
from starling.client.handover import in_background
from starling.client.pacing import paced, rechunk
from starling.core.audio import Samples
from starling.core.errors import ClientError

STANDARD_INPUT = "-"


def source(name: str) -> str | BinaryIO:
    """``name``, or standard input unbuffered: a buffer's lock, held by a thread that waits for a pipe, would abort our exit."""
    return open(0, "rb", buffering=0, closefd=False) if name == STANDARD_INPUT else name


def recorded(name: str, *, speed: float) -> AsyncIterator[Samples]:
    """The chunks of a recording at ``speed`` times real time, decoded on a thread of their own.

    Raises at once what opening a file does; what is wrong further on is raised where it is met. Either names the recording.
    """
    if name != STANDARD_INPUT:
        with _named(name):
            duration(name)
    return paced(in_background(rechunk(_blocks(name))), speed=speed)


def _blocks(name: str) -> Iterator[Samples]:
    with _named(name):
        yield from read_recording(source(name))


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        place = "standard input" if name == STANDARD_INPUT else name
        raise type(error)(f"{place}: {error.message}") from error


def seekable(name: str) -> BinaryIO:
    """A recording as a file from its beginning: what comes through a pipe is put into one first. Raises OSError."""
    if name != STANDARD_INPUT and Path(name).is_file():
        return Path(name).open("rb")
    with open(0 if name == STANDARD_INPUT else name, "rb", closefd=name != STANDARD_INPUT) as pipe, ExitStack() as undone:
        spooled = undone.enter_context(tempfile.TemporaryFile())
        shutil.copyfileobj(pipe, spooled)
        spooled.seek(0)
        undone.pop_all()  # whoever asked closes it
    return cast("BinaryIO", spooled)
