"""The front door: which commands there are, and how everything that goes wrong ends."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

import typer

from starling import __version__
from starling.cli import bench, demo, doctor, jobs, keys, mic, roles, serve, sessions, stream, transcribe, transcriber, version
from starling.cli.exits import ExitCode
from starling.cli.report import complain, describe

HELP_OPTIONS = ["-h", "--help"]

app = typer.Typer(
    name="starling",
    help="Speech recognition as a service: live audio in, captions out while the person still speaks.",
    epilog="Start with `starling demo`. Each command has its own --help, with examples.",
    rich_markup_mode=None,  # help as plain text: the same in a pipe, and quicker
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP_OPTIONS, "max_content_width": 100},
)


def _add(command: Callable[..., object], examples: Iterable[str]) -> None:
    lines = "".join(f"\n  {line}" for line in examples)
    app.command(epilog=f"\b\nExamples:{lines}")(command)  # \b keeps the lines as they are


_add(serve.serve, serve.EXAMPLES)
_add(roles.gateway, roles.GATEWAY_EXAMPLES)
_add(roles.recognizer, roles.RECOGNIZER_EXAMPLES)
_add(demo.demo, demo.EXAMPLES)
_add(stream.stream, stream.EXAMPLES)
_add(mic.mic, mic.EXAMPLES)
_add(transcribe.transcribe, transcribe.EXAMPLES)
_add(transcriber.transcriber, transcriber.EXAMPLES)
app.add_typer(jobs.jobs)
app.add_typer(keys.keys)
app.add_typer(sessions.sessions)
_add(bench.bench, bench.EXAMPLES)
_add(doctor.doctor, doctor.EXAMPLES)
_add(version.version, version.EXAMPLES)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    """Answer ``--version`` and stop."""
    if wanted:
        typer.echo(f"starling {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="On an error, show the traceback too.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options that come before the command."""
    # Read by main(), which sees the arguments first; declared here for --help.


def main() -> None:
    """Run the command line of this process and exit."""
    _open_standard_streams()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run ``starling`` with ``arguments`` and return its exit code. Every error becomes one clear line on stderr."""
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="replace")  # a terminal without a letter shows "?" instead of failing
    debug = "--debug" in arguments[: _commands_at(arguments)]
    try:
        code = app(arguments or ["--help"], standalone_mode=False, prog_name="starling")
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_gone()
    except SystemExit as left:
        if isinstance(left.__context__, BrokenPipeError):  # how typer leaves then
            return _reader_gone()
        raise
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except Exception as error:
        if debug:
            raise
        message, code = describe(error)
        complain(message)
        return code
    return code if isinstance(code, int) else ExitCode.OK


def _open_standard_streams() -> None:
    """Let nothing stand where a stream was closed by who started us: libuv aborts when a socket has such a number.

    The same goes for our children: there it would be the shared memory, and a line that a library prints would be written to it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this stream's own
            os.set_inheritable(number, True)  # noqa: FBT003 - the os module's own signature
            setattr(sys, name, os.fdopen(number, mode))


def _reader_gone() -> ExitCode:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes stdout once more on its way out
    return ExitCode.BROKEN_PIPE


def _commands_at(arguments: Sequence[str]) -> int:
    """Where the subcommand stands: options before it are those of ``starling`` itself."""
    return next((at for at, argument in enumerate(arguments) if not argument.startswith("-")), len(arguments))
