"""The transcriber's end of one scribe: it gives the order, hands over bytes of the recording, and takes what is found."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import BinaryIO, Final, Protocol

import msgspec

from starling.core.errors import IllegalTransition, StarlingError
from starling.core.jobs import JobError
from starling.transcriber.messages import (
    LENGTH,
    Data,
    Failed,
    FromScribe,
    Order,
    Over,
    Read,
    Told,
    Unreadable,
    framed,
    from_scribe,
    length_of,
)
from starling.transcriber.ports import Undone

LARGEST_READ: Final = 4 << 20
"""Bytes of a recording that are handed over at once."""

STILL: Final = 300.0
"""Seconds after which it is asked whether a scribe that says nothing does anything."""

HUNG: Final = JobError(
    code="scribe_hung",
    message="the process that had this recording did nothing for minutes, and was ended",
    final=False,
)

CAUSES: Final = {
    signal.SIGXCPU: (
        "too_much_computing",
        "the recording took far more computing to be read than its sound is worth: convert it to FLAC or MP3 and send that",
    ),
    signal.SIGKILL: ("scribe_killed", "the process that had this recording was killed, perhaps for want of memory"),
}
"""What ended a scribe, for whoever sent the recording."""


class Scribe(Protocol):
    """A process that does one recording. ``sock``: this end of its socket, which ``dictate`` closes."""

    @property
    def sock(self) -> socket.socket: ...

    def kill(self) -> None:
        """End it. Nothing happens if it has ended."""

    def still(self) -> bool:
        """Whether it did nothing since this was asked last, though it could have, and nobody keeps it from a core."""

    async def wait(self) -> int:
        """Its exit status, once it is no more; negative: the signal that ended it."""


async def dictate(scribe: Scribe, order: Order, file: BinaryIO, told: Callable[[Told], Awaitable[None]]) -> Over:
    """See ``Scribes.transcribe``. The scribe is no more afterwards."""
    reader, writer = await asyncio.open_connection(sock=scribe.sock)
    try:
        writer.write(framed(order))
        while True:
            with suppress(ConnectionError):  # what it said last can still be read
                await writer.drain()
            match await _next_of(scribe, reader):
                case Read(offset=offset, size=size):
                    writer.write(framed(await asyncio.to_thread(_read, file, offset, size)))
                case Told() as found:
                    await told(found)
                case Over() as over:
                    return over
                case Failed() as failed:
                    raise Undone(JobError(code=failed.code, message=failed.message, final=failed.final))
                case None:
                    scribe.kill()  # it may have closed its end, and live on
                    raise Undone(cause_of(await scribe.wait()))
    finally:
        scribe.kill()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        await asyncio.shield(scribe.wait())


async def _next_of(scribe: Scribe, reader: asyncio.StreamReader) -> FromScribe | None:
    """See ``_next``. Raises Undone for a scribe that hangs: its job would be at work, and its slot taken, for ever."""
    listening = asyncio.ensure_future(_next(reader))
    try:
        while not (await asyncio.wait((listening,), timeout=STILL))[0]:
            if scribe.still():
                raise Undone(HUNG)
        return listening.result()
    finally:
        listening.cancel()


async def _next(reader: asyncio.StreamReader) -> FromScribe | None:
    """What it says next; None once it says nothing more, or nonsense."""
    try:
        head = await reader.readexactly(LENGTH.size)
        return from_scribe.decode(await reader.readexactly(length_of(head)))
    except (asyncio.IncompleteReadError, ConnectionError, IllegalTransition, msgspec.MsgspecError):
        return None


def _read(file: BinaryIO, offset: int, size: int) -> Data | Unreadable:
    try:
        file.seek(offset)
        return Data(file.read(min(size, LARGEST_READ)))
    except StarlingError as error:
        return Unreadable(error.code, error.message)
    except OSError as error:
        return Unreadable("recording_unreadable", f"the recording cannot be read: {error.strerror or error}")


def cause_of(status: int) -> JobError:
    """Why a scribe ended, by its exit status, before it said that it was done."""
    if status >= 0:
        how = f"exit status {status}"
    else:
        number = signal.Signals(-status)
        if number in CAUSES:
            code, message = CAUSES[number]
            return JobError(code=code, message=message, final=False)
        how = number.name
    message = f"the process that had this recording ended by {how}: the recording is damaged, or built to do that"
    return JobError(code="scribe_ended", message=message, final=False)
