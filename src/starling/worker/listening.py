"""The detector's ear: frames of all sessions, scored together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, TypeAlias

from starling.core.audio import Frames
from starling.core.errors import ServerError
from starling.core.ports import Probabilities, VadStream, Work
from starling.scheduler.isolation import apart
from starling.scheduler.loop import Offload
from starling.worker.live import LiveSession
from starling.worker.ports import Ports
from starling.worker.scoring import score

TICK: Final = 0.025
"""Seconds of sound that are gathered, when many speak, before they are looked at."""

MANY: Final = 8
"""Sessions besides the first for which a whole tick is waited."""

MOST_FRAMES: Final = 256
"""Frames scored in one go: more wait, so that those who are in time wait for no one's recording."""

Waiting: TypeAlias = tuple[LiveSession, tuple[VadStream, Frames]]


def pause(sessions: int) -> float:
    """Seconds to let sound gather when ``sessions`` are open.

    A call into the detector costs about as much for ten listeners as for one, and so does waking up for their records. Who is
    alone waits for nobody.
    """
    return TICK * min(1.0, max(0, sessions - 1) / MANY)


def turn(waiting: Iterable[Waiting]) -> list[Waiting]:
    """Whose frames are scored now: those of clients in time first, up to ``MOST_FRAMES``, and at least one session's."""
    chosen: list[Waiting] = []
    frames = 0
    for one in sorted(waiting, key=lambda one: one[0].ahead):
        frames += len(one[1][1])
        if chosen and frames > MOST_FRAMES:
            break
        chosen.append(one)
    return chosen


class Listening:
    """Scores what sessions wait for. ``sessions``: the live ones; ``moved`` is called with each that got its scores."""

    def __init__(
        self, ports: Ports, offload: Offload, sessions: Callable[[], Iterable[LiveSession]], moved: Callable[[LiveSession], None]
    ) -> None:
        self._ports = ports
        self._offload = offload
        self._sessions = sessions
        self._moved = moved
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """Somebody may be waiting."""
        self._wanted.set()

    async def run(self) -> None:
        """Listen for ever."""
        while True:
            waiting = [(live, live.waiting) for live in self._sessions() if live.waiting is not None]
            if not waiting:
                self._wanted.clear()
                await self._wanted.wait()
                continue
            for together in apart(turn(waiting), lambda one: one[0].session_id, self._ports.witness.suspects()):
                await self._score(together)

    async def _score(self, batch: Sequence[Waiting]) -> None:
        started = self._ports.clock.now()
        scores = await self._offload(partial(self._score_blocking, batch))
        self._ports.metrics.vad_time.observe(self._ports.clock.now() - started)
        for (live, _), heard in zip(batch, scores, strict=True):
            live.fail(heard) if isinstance(heard, ServerError) else live.hear(heard.tolist())
            self._moved(live)

    def _score_blocking(self, batch: Sequence[Waiting]) -> list[Probabilities | ServerError]:
        with self._ports.witness.watch(Work.LISTEN, [live.session_id for live, _ in batch]):
            return score(self._ports.vad, [frames for _, frames in batch])
