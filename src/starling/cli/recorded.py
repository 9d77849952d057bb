"""A recording named on the command line as a stream of chunks: a path, or ``-`` for standard input."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import BinaryIO

from starling.audio import duration, read_recording
from starling.client.handover import in_background
from starling.client.pacing import paced, rechunk
from starling.core.audio import Samples

STANDARD_INPUT = "-"


def source(name: str) -> str | BinaryIO:
    """``name``, or standard input unbuffered: a buffer's lock, held by a thread that waits for a pipe, would abort our exit."""
    return open(0, "rb", buffering=0, closefd=False) if name == STANDARD_INPUT else name


def recorded(name: str, *, speed: float) -> AsyncIterator[Samples]:
    """The chunks of a recording at ``speed`` times real time, decoded on a thread of their own.

    Raises at once what opening a file does; what is wrong further on is raised where it is met.
    """
    if name != STANDARD_INPUT:
        duration(name)
    return paced(in_background(rechunk(read_recording(source(name)))), speed=speed)
