"""Who does the jobs of ``starling transcribe``, and what is said of them all."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from starling.cli.report import complain
from starling.cli.transcribing import Job, Outcome, report
from starling.client.options import Options, session_config
from starling.client.task import JobOptions
from starling.config.sizing import cores
from starling.core.jobs import Channels

if TYPE_CHECKING:
    from starling.cli.live import Credentials

Done: TypeAlias = Callable[[Job, Outcome], None]
"""Is told what came of each job."""

AT_A_SERVER: Final = 4
"""Recordings that a server gets at once, if nobody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How recordings are to be transcribed. ``count``: at once. ``server``: its URL, or None for this machine.

    ``keep``: jobs at a server go on there when this process is interrupted; ``telling``: whom it tells when they are over.
    """

    forms: tuple[str, ...]
    options: Options
    channels: Channels = Channels.MIXED
    count: int | None = None
    server: str | None = None
    credentials: Credentials | None = None
    keep: bool = False
    telling: JobOptions = field(default_factory=JobOptions)
    debug: bool = False


def transcribe_all(jobs: Sequence[Job], wish: Wish, *, again: bool = False) -> int:
    """Do all ``jobs``, ``again`` too what is done already, and return how many failed, after saying what was wrong with each.

    A recording that breaks off gives what was said before, and counts as failed.
    """
    todo = [job for job in jobs if again or not job.done]
    if len(todo) < len(jobs):
        complain(f"{len(jobs) - len(todo)} of {len(jobs)} recordings are transcribed already; --again does them anew")
    failed = 0

    def done(job: Job, outcome: Outcome) -> None:
        nonlocal failed
        failed += not report(job, outcome, wish.forms[0], titled=len(jobs) > 1)

    if todo:
        _do(todo, wish, done)
    if failed and len(jobs) > 1:
        complain(f"{failed} of {len(jobs)} recordings failed")
    return failed


def _do(jobs: Sequence[Job], wish: Wish, done: Done) -> None:
    if wish.server is not None:
        from starling.cli.transcribing_there import Errand, at_a_server, job_options

        assert wish.credentials is not None
        errand = Errand(
            url=wish.server,
            credentials=wish.credentials,
            options={**job_options(wish.options, wish.channels), **wish.telling},
            channels=wish.channels,
            count=wish.count or AT_A_SERVER,
            keep=wish.keep,
            debug=wish.debug,
        )
        if not asyncio.run(at_a_server(jobs, errand, done)):
            raise KeyboardInterrupt
        return
    from starling.cli.transcribing_here import in_turn, side_by_side

    config = session_config(wish.options).updated(partials=False)
    count = min(wish.count or len(cores()), len(jobs))
    if count == 1 or sys.platform != "linux":
        in_turn(jobs, config, wish.channels, done, debug=wish.debug)
    else:
        asyncio.run(side_by_side(jobs, config, wish.channels, done, count=count, debug=wish.debug))
