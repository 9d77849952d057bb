"""Bars that show how far recordings are: on stderr, gone when done, and nothing at all where stderr is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from starling.cli.report import printable


class Bars:
    """One for each recording at work, and one for all of them where there are several (``total``)."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._all = progress.add_task(f"{total} recordings", total=total, counted=True) if total > 1 else None

    @contextmanager
    def bar(self, name: str, length: float | None) -> Iterator[Callable[[float], None]]:
        """A recording of ``length`` seconds, if that is known. Gives what is told how many of them are done."""
        task = self._progress.add_task(printable(name), total=length, counted=False)
        try:
            yield lambda done: self._progress.update(task, completed=done)
        finally:
            self._progress.remove_task(task)
            if self._all is not None:
                self._progress.advance(self._all)


@contextmanager
def bars(total: int) -> Iterator[Bars]:
    """Bars for ``total`` recordings while the block runs."""
    console = Console(stderr=True)
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        _Amount(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=False,  # it may be a pipe
    )
    with progress:
        yield Bars(progress, total)


class _Amount(ProgressColumn):
    """``0:12 of 0:44``: how far into the recording; ``3 of 7``: how many are done."""

    def render(self, task: Task) -> Text:
        if task.fields["counted"]:
            return Text(f"{int(task.completed)} of {int(task.total or 0)}", style="progress.download")
        total = f" of {_minutes(task.total)}" if task.total is not None else ""
        return Text(f"{_minutes(task.completed)}{total}", style="progress.download")


def _minutes(duration: float) -> str:
    minutes, rest = divmod(round(duration), 60)
    return f"{minutes}:{rest:02}"
