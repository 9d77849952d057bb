"""A session's messages for a reader: live on a terminal, finals into a pipe, or everything as JSON lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from starling.client.captions import Captions
from starling.client.terminal import LiveText, plain
from starling.protocols.native.messages import Done, Error, Result, ServerMessage, encode


class Presenter(Protocol):
    """Shows messages in the order they come."""

    def show(self, message: ServerMessage) -> None: ...

    def close(self, *, failed: bool = False) -> None:
        """No more messages come. ``failed``: whoever closes says why, so an error the server ended with is not told twice."""


class LiveCaptions:
    """Partials rewritten in place, finals on lines of their own. ``complain`` gets what is no caption."""

    def __init__(self, text: LiveText, complain: Callable[[str], None]) -> None:
        self._text = text
        self._complaints = _Complaints(self._interrupt)
        self._complain = complain
        self._captions = Captions()

    def show(self, message: ServerMessage) -> None:
        self._complaints.update(message)
        if isinstance(message, Result):
            line = self._captions.update(message)
            self._text.show(self._captions.provisional, settled=[line.text] if line else [])

    def close(self, *, failed: bool = False) -> None:
        self._complaints.close(failed=failed)
        self._text.leave()

    def _interrupt(self, complaint: str) -> None:
        self._text.show([])
        self._complain(complaint)
        self._text.show(self._captions.provisional)


class FinalLines:
    """Finals only, one line each, as soon as they are known."""

    def __init__(self, write: Callable[[str], None], complain: Callable[[str], None]) -> None:
        self._write = write
        self._complaints = _Complaints(complain)
        self._captions = Captions()

    def show(self, message: ServerMessage) -> None:
        self._complaints.update(message)
        if isinstance(message, Result):
            line = self._captions.update(message)
            if line is not None:
                self._write(" ".join(plain(line.text).split()) + "\n")

    def close(self, *, failed: bool = False) -> None:
        self._complaints.close(failed=failed)


class JsonLines:
    """Every message as the server sent it, one JSON object per line."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def show(self, message: ServerMessage) -> None:
        self._write(encode(message) + "\n")

    def close(self, *, failed: bool = False) -> None:
        pass


class _Complaints:
    """Tells of errors at once, but of one that may be the session's end only when something follows it, or nothing failed."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        self._complain = complain
        self._last: Error | None = None

    def update(self, message: ServerMessage) -> None:
        if isinstance(message, Done):
            return
        self.close()
        if isinstance(message, Error):
            self._last = message
            if isinstance(message.segment_id, int):  # the session goes on
                self.close()

    def close(self, *, failed: bool = False) -> None:
        last, self._last = self._last, None
        if last is not None and not failed:
            self._complain(complaint(last))


def complaint(error: Error) -> str:
    """What an error message of the server says to a person."""
    place = f"segment {error.segment_id} has no text: " if isinstance(error.segment_id, int) else ""
    return f"{place}{error.message} ({error.code})"
