"""Errors as one clear line each, and what they make of the exit code."""

from __future__ import annotations

import os
import sys
import textwrap
import traceback
from pathlib import Path
from typing import Final, TextIO

import typer

from starling.cli.exits import ExitCode

PACKAGE: Final = Path(__file__).parents[1]

LONGEST: Final = 200
"""Characters that are shown of what an unexpected error says."""

MEMBERS: Final = 8
"""Errors of one group that are named."""

DEEPEST: Final = 100
"""Frames that are looked at for where an error was raised."""


def complain(message: str) -> None:
    """One line on stderr in the name of the program. What a server or a file's name put into it cannot steer the terminal."""
    lines = [printable(line).strip() for line in message.splitlines() if line.strip()]
    for line in lines or ["failed without saying why"]:
        say(f"starling: {line}", sys.stderr)


def say(message: str, stream: TextIO) -> None:
    """``message`` as a line of ``stream``; on a terminal it breaks between words, elsewhere it stays one line."""
    stream.write(broken(message, _columns(stream)) + "\n")
    stream.flush()


def broken(line: str, columns: int) -> str:
    """``line`` in rows of fewer than ``columns`` characters where words allow it; 0 columns are as many as it takes."""
    if len(line) < columns or columns == 0:
        return line
    return textwrap.fill(line, max(2, columns - 1), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _columns(stream: TextIO) -> int:
    """The width of the terminal that ``stream`` is; 0 if it is none, or does not know."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except OSError:
        return 0


def printable(text: str) -> str:
    """``text`` with blanks for what cannot be seen, control sequences among it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def describe(error: Exception) -> tuple[str, ExitCode]:
    """What to say about ``error``, and the exit code it means."""
    from starling.core.errors import InvalidOption, StarlingError

    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:  # what a task group makes of its one failure
        error = error.exceptions[0]
    match error:
        case InvalidOption():
            return error.message, ExitCode.USAGE
        case StarlingError():
            return error.message, ExitCode.FAILURE
        case typer.TyperException():
            command = getattr(getattr(error, "ctx", None), "command_path", "starling")
            said = (_out_of_range(error) or error.format_message()).rstrip()
            ended = said if said.endswith((".", "?", "!")) else f"{said}."
            code = ExitCode.USAGE if error.exit_code == ExitCode.USAGE else ExitCode.FAILURE
            return f"{ended} See `{command} --help`.", code
        case OSError():
            place = f"{error.filename}: " if error.filename else ""
            return f"{place}{error.strerror or error}", ExitCode.FAILURE
        case _:
            advice = "This is a bug in Starling: please report it with what `starling --debug ...` shows"
            return f"unexpected {_named(error)}. {advice}", ExitCode.FAILURE


def _named(error: BaseException) -> str:
    """Its type, what it says unless that may quote somebody, and where it was raised; of a group the same of its members."""
    from starling.telemetry.discretion import message_of

    said = f"{type(error).__name__}: {message_of(error)[:LONGEST]}"
    if not isinstance(error, BaseExceptionGroup):
        return said + _place(error)
    members = [_named(member) for member in error.exceptions[:MEMBERS]]
    members += ["..."] * (len(error.exceptions) > MEMBERS)
    return f"{said} [{'; '.join(members)}]"


def _place(error: BaseException) -> str:
    """Where it was raised, and where in Starling that was called if it was raised elsewhere: ``file:line``."""
    called = traceback.extract_tb(error.__traceback__, -DEEPEST)
    ours = [frame for frame in called if PACKAGE in Path(frame.filename).parents]
    places = dict.fromkeys(f"{'/'.join(Path(frame.filename).parts[-3:])}:{frame.lineno}" for frame in (called[-1:] + ours[-1:]))
    return f" (at {', called at '.join(places)})" if places else ""


def _out_of_range(error: typer.TyperException) -> str | None:
    """What a number outside the range of its option should have been, with its unit; None for any other error."""
    option = getattr(error, "param", None)
    low, high = getattr(option, "min", None), getattr(option, "max", None)
    wrong: list[dict[str, str]] = getattr(error.__cause__, "errors", list)()
    if option is None or low is high is None or not wrong or not wrong[0]["type"].endswith("_equal"):
        return None
    bounds = f"at least {low}" if high is None else f"{low} to {high}"
    unit = " seconds" if option.metavar == "SECONDS" else ""
    return f"Invalid value for '{option.opts[-1]}': expected {bounds}{unit}, got {wrong[0]['input']}"
