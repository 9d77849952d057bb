"""A recording's bytes, as FFmpeg is let to read them."""

from __future__ import annotations

from typing import BinaryIO

from starling.core.errors import CorruptAudio


class Source:
    """A file for FFmpeg, in whose C code an exception would be lost: there it is the end of the file, and ``check`` raises it.

    That holds for Ctrl-C, for what the file itself raises, and for ``budget``: bytes that may be read, whatever a header claims
    to lie where; None is any number.
    """

    def __init__(self, file: BinaryIO, *, budget: int | None = None) -> None:
        self._file = file
        self._left = budget
        self._trouble: BaseException | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def read(self, size: int) -> bytes:
        if self._trouble is not None:
            return b""
        if self._left is not None and self._left <= 0:
            self._trouble = CorruptAudio(
                "expected to learn what the recording is from its first and last bytes, found a header that goes on and on"
            )
            return b""
        try:
            data = self._file.read(size)
        except BaseException as error:  # noqa: BLE001 - raised by ``check``
            self._trouble = error
            return b""
        if self._left is not None:
            self._left -= len(data)
        return data

    def check(self) -> None:
        """Raise what ``read`` met."""
        if self._trouble is not None:
            raise self._trouble
