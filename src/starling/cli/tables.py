"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from starling.cli.report import printable
from starling.config.doctor import Check, Status
from starling.config.loading import EffectiveSetting

STYLES = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}

UNBROKEN = 10_000
"""Columns where no terminal gives any: a program that reads the rows wants each in one piece."""


def print_checks(checks: Iterable[Check]) -> None:
    """One row each, and below it what to do where something is wrong."""
    table = _table("", "check", "found")
    for check in checks:
        remedy = Text(f"\n{check.remedy}", style=STYLES[check.status]) if check.remedy else Text()
        table.add_row(Text(check.status, style=STYLES[check.status]), check.name, Text(check.detail) + remedy)
    _console().print(table)


def print_settings(settings: Iterable[EffectiveSetting]) -> None:
    """Every setting; those that are not at their default stand out."""
    table = _table("setting", "value", "source")
    for setting in settings:
        style = "" if setting.source == "default" else "bold"
        table.add_row(*(Text(cell, style=style) for cell in (setting.path, setting.value, setting.source)))
    _console().print(table)


def print_rows(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Any table of plain text. What a server or a file's name put into it cannot steer the terminal."""
    _console().print(rows_table(headers, rows))


def rows_table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """The same, to be printed."""
    table = _table(*headers)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def _table(*headers: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    return table


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=UNBROKEN)
