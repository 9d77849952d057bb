"""A scribe: the process that turns one recording into text, and ends. What the recording does to it happens to nobody else."""

from __future__ import annotations

import io
import socket
import threading
import time
from contextlib import suppress
from typing import Any, Final, Protocol

from starling.audio import Recording
from starling.core.errors import ClientError, CorruptAudio, ServerError, StarlingError
from starling.telemetry.logs import get_logger
from starling.transcriber.ahead import ahead
from starling.transcriber.channel import Tools
from starling.transcriber.damage import damage
from starling.transcriber.findings import Found, Heard, Task
from starling.transcriber.messages import (
    LENGTH,
    Data,
    Failed,
    FromScribe,
    Order,
    Over,
    Read,
    Told,
    ToScribe,
    Unreadable,
    framed,
    length_of,
    to_scribe,
)
from starling.transcriber.transcribing import blocks_of, transcribe

log = get_logger(__name__)

AHEAD: Final = 30
"""Blocks of a second that are decoded before they are wanted."""

PIECE: Final = 1 << 20
"""Bytes of the recording that are asked for at once."""

TELL_EVERY: Final = 1.0
"""Seconds between two reports of what was found: each is written to where jobs are kept."""

TELL_AT: Final = 200
"""Segments after which one is due in any case."""


class Line:
    """The scribe's end of the socket. Bytes are asked for on one thread, and findings told on another."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()

    def order(self) -> Order:
        """What to do."""
        order = self._receive()
        assert isinstance(order, Order)
        return order

    def tell(self, message: FromScribe) -> None:
        """Say something. Raises ConnectionError once nobody listens."""
        with self._sending:
            self._sock.sendall(framed(message))

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the recording. Raises Unread."""
        self.tell(Read(offset, size))
        answer = self._receive()
        if isinstance(answer, Unreadable):
            raise Unread(answer)
        assert isinstance(answer, Data)
        return answer.data

    def _receive(self) -> ToScribe:
        return to_scribe.decode(self._exactly(length_of(self._exactly(LENGTH.size))))

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = self._sock.recv(size - len(data))
            if not piece:
                raise ConnectionResetError("the transcriber is gone")
            data += piece
        return bytes(data)


class Unread(Exception):
    """The recording's bytes cannot be had. ``why``: as the transcriber said."""

    def __init__(self, why: Unreadable) -> None:
        super().__init__(why.code)
        self.why = why


class RemoteFile(io.RawIOBase):
    """A recording of ``size`` bytes at the other end of ``line``."""

    def __init__(self, line: Line, size: int) -> None:
        self._line = line
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        size = min(len(buffer), max(0, self._size - self._at))
        data = self._line.read(self._at, size) if size else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class Report:
    """What was found and not yet told. ``now``: seconds of any clock."""

    def __init__(self, now: float) -> None:
        self._told = now
        self._done = 0.0
        self._found: list[Found] = []

    def add(self, heard: Heard, now: float) -> Told | None:
        """Take it in; what is due to be told."""
        self._done = heard.done
        self._found += heard.found
        if now - self._told < TELL_EVERY and sum(len(one.segments) for one in self._found) < TELL_AT:
            return None
        self._told = now
        return self.rest()

    def rest(self) -> Told:
        """All that was not told."""
        told = Told(self._done, tuple(self._found))
        self._found = []
        return told


class Confined(Protocol):
    """Holds this process to what it may use, see ``Confinement``."""

    def begin(self, *, urgent: bool) -> None: ...

    def grant(self, done: float, channels: int) -> None: ...


def write(sock: socket.socket, tools: Tools, confined: Confined) -> None:
    """Do what the other end of ``sock`` orders, and say how that went.

    Returns when everything is said, or nobody listens any more.
    """
    with suppress(ConnectionError), sock:
        line = Line(sock)
        order = line.order()
        confined.begin(urgent=order.urgent)
        try:
            line.tell(_written(line, order, tools, confined))
        except Unread as unread:
            line.tell(Failed(unread.why.code, unread.why.message, final=False))
        except StarlingError as error:
            line.tell(Failed(error.code, error.message, final=isinstance(error, ClientError)))
        except MemoryError:
            line.tell(Failed("out_of_memory", "the recording takes more memory to be read than a job may have", final=True))
        except ConnectionError:
            raise
        except Exception as error:
            log.exception("transcribing failed", job_id=order.job_id, trace_id=order.trace_id)
            line.tell(Failed(ServerError.code, f"transcribing failed by {type(error).__name__}: the log says more", final=False))


def _written(line: Line, order: Order, tools: Tools, confined: Confined) -> Over:
    task = Task(
        job_id=order.job_id,
        config=order.config,
        channels=order.channels,
        checkpoints=order.checkpoints,
        max_duration=order.max_duration,
    )
    file = io.BufferedReader(RemoteFile(line, order.size), PIECE)
    report, taken, broke = Report(time.monotonic()), 0.0, None
    speech = any(point is not None and point.next_segment for point in order.checkpoints)
    with Recording(file) as recording, ahead(blocks_of(recording, order.channels), depth=AHEAD) as blocks:
        try:
            for heard in transcribe(blocks, task, tools):
                confined.grant(heard.done, recording.channels)
                taken = heard.taken
                speech = speech or any(one.segments for one in heard.found)
                if told := report.add(heard, time.monotonic()):
                    line.tell(told)
        except CorruptAudio as error:
            if not taken:
                raise
            broke = error
        finally:  # what was found stays found, whatever ends this
            line.tell(report.rest())
        if not taken:
            raise CorruptAudio("expected sound in the recording, found none: it is empty, or was cut off at its beginning")
        warnings = damage(
            taken=taken,
            promised=recording.promised,
            lost=recording.lost,
            broke=broke,
            speech=speech,
            unfinished=recording.unfinished,
        )
    return Over(taken, time.process_time(), warnings)
