"""``python -m starling.audio.prober PARENT``: looks into recordings for its parent, which has the files and survives a crash.

On standard output go lines of JSON: what is wanted of the file (``{"read": bytes}``, ``{"seek": [offset, whence]}``), and at
last what was found. On standard input come a line for each recording, and the answers: eight bytes (a number, little-endian),
and after ``read`` as many bytes of the file.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from typing import Any, BinaryIO, Final, cast

from starling.audio.probe import probe
from starling.core.errors import StarlingError
from starling.telemetry.lineage import end_with

NAME: Final = "prober"
NUMBER: Final = 8
MEMORY: Final = 2 << 30
"""Bytes of address space: a header that asks for more asks for too much."""


class DistantFile(io.RawIOBase):
    """A file that another process has."""

    def __init__(self, wishes: BinaryIO, answers: BinaryIO) -> None:
        super().__init__()
        self._wishes = wishes
        self._answers = answers
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        length = self._ask({"read": -1 if size is None else size})
        data = self._answers.read(length)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = self._ask({"seek": [offset, whence]})
        return self._at

    def tell(self) -> int:
        return self._at

    def _ask(self, wish: dict[str, Any]) -> int:
        say(self._wishes, wish)
        answer = self._answers.read(NUMBER)
        if len(answer) < NUMBER:
            sys.exit(0)  # nobody is there any more
        return int.from_bytes(answer, "little", signed=True)


def say(stream: BinaryIO, line: dict[str, Any]) -> None:
    """``line`` as one of JSON."""
    stream.write(json.dumps(line).encode() + b"\n")
    stream.flush()


def look(file: BinaryIO) -> dict[str, Any]:
    """What is in ``file``, or what is wrong with it."""
    try:
        found = probe(file)
    except StarlingError as error:
        return {"code": error.code, "message": error.message}
    except (OSError, MemoryError, ValueError):
        return {"code": "corrupt_audio", "message": "expected a recording, got a file whose header makes no sense"}
    return {
        "media_type": found.media_type,
        "codec": found.codec,
        "channels": found.channels,
        "duration": found.duration,
    }


def main() -> None:
    """Look into one recording after the other, until nobody asks any more, or whoever asks has ended."""
    end_with(int(sys.argv[1]), NAME)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while questions.readline():
        say(answers, look(cast("BinaryIO", DistantFile(answers, questions))))


if __name__ == "__main__":
    main()
