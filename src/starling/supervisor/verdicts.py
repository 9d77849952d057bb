"""Whether a process still works, judged by what it says and by what the kernel says of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from starling.supervisor.deaths import Cause
from starling.supervisor.options import SupervisorOptions

STARVED: Final = 0.5
"""A process that wants to run and gets less than this share of a core in its silence is not heard because it is not let."""

STANDSTILL: Final = 0.25
"""Share of the hang timeout after which one that is stopped is replaced. It is silent for sure, however busy the machine is, so
this waits for nothing but a signal that is taken back at once. Who looks into a process with a debugger raises the timeout."""

REMEMBERED: Final = 60.0
"""Seconds for which a hang makes the judge more patient."""

MOST_DOUBLINGS: Final = 8


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


class Patience:
    """Grows with every hang. Who takes over has more to do than who hung; judged as strictly, it would hang too, and so on.

    A factor for the hang timeout: doubled by each hang of the last ``REMEMBERED`` seconds.
    """

    def __init__(self) -> None:
        self._hangs: deque[float] = deque(maxlen=MOST_DOUBLINGS)

    def hung(self, now: float) -> None:
        """A process was found hanging."""
        self._hangs.append(now)

    def factor(self, now: float) -> float:
        """At least 1."""
        return float(2 ** sum(now - at < REMEMBERED for at in self._hangs))


def judge(signs: Signs, options: SupervisorOptions, now: float, *, blind: float = 0.0, patience: float = 1.0) -> Cause | None:
    """Why the process must be replaced, or None.

    ``blind``: seconds that the judge itself was late; nobody is blamed for what it could not see. ``patience``: see Patience.
    """
    if signs.memory > options.memory_limit:
        return Cause.MEMORY
    if not signs.ready:
        return Cause.START if now - signs.started > options.start_timeout + blind else None
    silence = now - signs.beat - blind
    if signs.stopped and silence > STANDSTILL * options.hang_timeout:
        return Cause.STOPPED
    if silence > options.hang_timeout:
        starved = signs.runnable and signs.share < STARVED
        if silence > (options.stuck_timeout if starved else min(patience * options.hang_timeout, options.stuck_timeout)):
            return Cause.HANG
    since = [at for at in (signs.listening, signs.decoding) if at is not None]
    if since and now - min(since) - blind > options.stuck_timeout:
        return Cause.STUCK
    return None
