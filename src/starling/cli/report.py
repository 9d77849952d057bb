"""Errors as one clear line each, and what they make of the exit code."""

from __future__ import annotations

import sys

import typer

from starling.cli.exits import ExitCode


def complain(message: str) -> None:
    """One line on stderr in the name of the program."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    sys.stderr.write("".join(f"starling: {line}\n" for line in lines or ["failed without saying why"]))
    sys.stderr.flush()


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
            said = error.format_message().rstrip()
            ended = said if said.endswith((".", "?", "!")) else f"{said}."
            code = ExitCode.USAGE if error.exit_code == ExitCode.USAGE else ExitCode.FAILURE
            return f"{ended} See `{command} --help`.", code
        case OSError():
            place = f"{error.filename}: " if error.filename else ""
            return f"{place}{error.strerror or error}", ExitCode.FAILURE
        case _:
            advice = "This is a bug in Starling: please report it with what `starling --debug ...` shows"
            return f"unexpected {type(error).__name__}: {error}. {advice}", ExitCode.FAILURE
