"""``starling version``."""

from __future__ import annotations

import platform

import typer

from starling import __version__

EXAMPLES = ("starling version",)


def version() -> None:
    """Show the versions of Starling and Python."""
    typer.echo(f"starling {__version__} (Python {platform.python_version()}, {platform.system()} {platform.machine()})")
