"""``docs/cli.md``, written from the commands themselves."""

from __future__ import annotations

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
    pages = [_page(context)]
    assert isinstance(root, typer.core.TyperGroup)
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        pages.append(_page(typer.Context(command, info_name=name, parent=context, terminal_width=WIDTH)))
    codes = "".join(f"| {int(code)} | {code.meaning} |\n" for code in ExitCode)
    return PROSE + codes + "".join(pages)


def _page(context: typer.Context) -> str:
    lines = (line.rstrip() for line in context.get_help().splitlines())
    return f"\n## {context.command_path}\n\n```text\n" + "\n".join(lines).strip() + "\n```\n"


if __name__ == "__main__":
    print(render_cli_markdown(), end="")  # noqa: T201 - printing the page is what running this module is for
