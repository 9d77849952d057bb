"""``docs/cli.md``, written from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from starling.cli.entry import HELP_OPTIONS, app
from starling.cli.exits import ExitCode

WIDTH = 100
"""Columns of the help pages in the document."""

PROSE = """\
# Command line

Every page below is what `--help` (or `-h`) prints. Errors are one line on stderr that says what to do;
`starling --debug COMMAND ...` adds the traceback. Output goes to stdout, so that commands work in pipes: on a terminal captions
grow in place, elsewhere only finished lines are written. `NO_COLOR` is honoured.

This page is written from the code by `python -m starling.cli.reference`, and a test compares the two.

## Ctrl-C

The first Ctrl-C stops the audio, not the captions: what was heard is still recognised and shown, for at most ten seconds. A
second one ends at once. `serve` finishes the open segments of all its sessions before it ends.

## Exit codes

| code | meaning |
|---|---|
"""


def render_cli_markdown() -> str:
    """The whole page."""
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="starling", terminal_width=WIDTH, help_option_names=HELP_OPTIONS)
    codes = "".join(f"| {int(code)} | {code.meaning} |\n" for code in ExitCode)
    return PROSE + codes + "".join(_pages(context))


def _pages(context: typer.Context) -> Iterator[str]:
    """The page of a command, and those of the commands in it."""
    yield _page(context)
    if isinstance(context.command, typer.core.TyperGroup):
        for name in context.command.list_commands(context):
            inner = context.command.get_command(context, name)
            assert inner is not None
            yield from _pages(typer.Context(inner, info_name=name, parent=context, terminal_width=WIDTH))


def _page(context: typer.Context) -> str:
    lines = (line.rstrip() for line in context.get_help().splitlines())
    return f"\n## {context.command_path}\n\n```text\n" + "\n".join(lines).strip() + "\n```\n"


if __name__ == "__main__":
    print(render_cli_markdown(), end="")  # noqa: T201 - printing the page is what running this module is for
