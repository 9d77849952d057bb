"""A session's messages for a reader: live on a terminal, finals into a pipe, or everything as JSON lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from starling.client.captions import Captions
from starling.client.terminal import LiveText
from starling.protocols.native.messages import Error, Result, ServerMessage, encode


class Presenter(Protocol):
    """Shows messages in the order they come."""

    def show(self, message: ServerMessage) -> None: ...

    def close(self) -> None:
        """No more messages come, for whatever reason."""


class LiveCaptions:
    """Partials rewritten in place, finals on lines of their own. ``complain`` gets what is no caption."""

    def __init__(self, text: LiveText, complain: Callable[[str], None]) -> None:
        self._text = text
        self._complain = complain
        self._captions = Captions()

    def show(self, message: ServerMessage) -> None:
        match message:
            case Result():
                line = self._captions.update(message)
                self._text.show(self._captions.provisional, settled=[line.text] if line else [])
            case Error():
                self._text.show([])
                self._complain(complaint(message))
                self._text.show(self._captions.provisional)

    def close(self) -> None:
        self._text.leave()


class FinalLines:
    """Finals only, one line each, as soon as they are known."""

    def __init__(self, write: Callable[[str], None], complain: Callable[[str], None]) -> None:
        self._write = write
        self._complain = complain
        self._captions = Captions()

    def show(self, message: ServerMessage) -> None:
        match message:
            case Result():
                line = self._captions.update(message)
                if line is not None:
                    self._write(" ".join(line.text.split()) + "\n")
            case Error():
                self._complain(complaint(message))

    def close(self) -> None:
        pass


class JsonLines:
    """Every message as the server sent it, one JSON object per line."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def show(self, message: ServerMessage) -> None:
        self._write(encode(message) + "\n")

    def close(self) -> None:
        pass


def complaint(error: Error) -> str:
    """What an error message of the server says to a person."""
    place = f"segment {error.segment_id} has no text: " if isinstance(error.segment_id, int) else ""
    return f"{place}{error.message} ({error.code})"
