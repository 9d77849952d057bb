"""Whether a process still works, judged by what it says and by what the kernel says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starling.supervisor.deaths import Cause
from starling.supervisor.options import SupervisorOptions

STARVED: Final = 0.5
"""A process that wants to run and gets less than this share of a core in its silence is not heard because it is not let."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What can be seen of a process. Times are seconds of the machine's monotonic clock.

    ``started``: when it was. ``ready``: it has said that it works. ``beat``: its last heartbeat. ``listening``, ``decoding``:
    since when its calls into the models run, None for no call. ``memory``: bytes of its own. ``stopped``: by a signal, or a
    debugger. ``runnable``: a thread of it wants a core now. ``share``: cores that it got since it fell silent.
    """

    started: float
    ready: bool
    beat: float
    listening: float | None = None
    decoding: float | None = None
    memory: int = 0
    stopped: bool = False
    runnable: bool = False
    share: float = 0.0


def judge(signs: Signs, options: SupervisorOptions, now: float, blind: float = 0.0) -> Cause | None:
    """Why the process must be replaced, or None.

    ``blind``: seconds that the judge itself was late; nobody is blamed for what it could not see.
    """
    if signs.memory > options.memory_limit:
        return Cause.MEMORY
    if not signs.ready:
        return Cause.START if now - signs.started > options.start_timeout + blind else None
    silence = now - signs.beat - blind
    if silence > options.hang_timeout:
        if signs.stopped:
            return Cause.STOPPED
        starved = signs.runnable and signs.share < STARVED
        if not starved or silence > options.stuck_timeout:
            return Cause.HANG
    since = [at for at in (signs.listening, signs.decoding) if at is not None]
    if since and now - min(since) - blind > options.stuck_timeout:
        return Cause.STUCK
    return None
