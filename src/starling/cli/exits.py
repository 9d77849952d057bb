"""The exit codes of ``starling``."""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """How a command ended. ``meaning`` is its line in docs/cli.md."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    OK = 0, "Done. For `serve`, `mic` and `demo` also: ended by Ctrl-C, as they are meant to be."
    FAILURE = 1, "It did not work. One line on stderr says why."
    USAGE = 2, "The command line or the configuration is wrong. Nothing was started."
    INTERRUPTED = 130, "Ctrl-C before the work was done."
    BROKEN_PIPE = 141, "Whoever read the output went away, as `head` does when it has enough."
