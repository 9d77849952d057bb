"""A recognizer's end of an audio log whose partitions are leased in Redis, wherever its records are."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, Generic, NamedTuple, NoReturn, Protocol, TypeVar

import msgspec

from starling.bus.following import UNKNOWN, Following
from starling.bus.redis.link import Link
from starling.bus.redis.scripts import FENCED
from starling.bus.redis.scripts.sessions import COMMIT, FORGET, SURVEY
from starling.bus.redis.tenure import LOST, Fence
from starling.core.errors import IllegalTransition, ShuttingDown
from starling.core.records import Checkpoint, Followed, Opened, Record, Tail

WAITING: Final = 2_000
"""Records that may wait for the follower before the log is read on."""


class Holding(Fence, Protocol):
    """What a follower must know of its tenure."""

    changed: asyncio.Event

    @property
    def held(self) -> Mapping[int, int]:
        """Epochs by partition."""


class Surveyed(NamedTuple):
    """A session that was opened before: how, and with its last checkpoint; its strikes, and the first epoch that counts."""

    opened: Opened
    strikes: int
    first: int


class Survey(NamedTuple):
    """A partition: the newest epoch of all gateways, the last record of its stream, and its sessions."""

    writers: int
    last: bytes
    sessions: list[Surveyed]


S = TypeVar("S", bound=Following[Any, Any])


class LeasedAudioLog(ABC, Generic[S]):
    """The AudioLog of a recognizer. Closing it concerns this process alone. ``offset``: what makes its clock the wall's, in
    seconds. ``dropped`` is told of each session that another one has now. ``suspects``: sessions with a strike, see ``inquest``.
    ``taken``: records that were passed on.

    What counts is in Redis, checkpoint by checkpoint, under the epoch of the lease. What a recognizer writes that has lost a
    partition is refused there, and dropped here; its follower hears ``Revoked``.

    One of these says, by ``_change`` and ``_read``, how records come to what a follower has.
    """

    def __init__(self, link: Link, tenure: Holding, *, offset: float = 0.0) -> None:
        self._link = link
        self._tenure = tenure
        self._offset = offset
        self.dropped: Callable[[str], None] = lambda _: None
        self.taken = 0
        self.suspects: set[str] = set()
        self._following = self._nothing()
        self._pumping: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._closed = False

    @abstractmethod
    def _nothing(self) -> S:
        """What a follower has at first."""

    @abstractmethod
    async def _change(self, following: S) -> None:
        """Drop what was lost, take up what was gained."""

    @abstractmethod
    async def _read(self, following: S) -> bool:
        """Take what is new, or wait a moment for it. Whether anything was; where it is given up, yes."""

    def _caught_up(self, following: S) -> bool:  # noqa: ARG002 - it has read what there is, unless somebody knows better
        """Whether a look that finds nothing means that everything is read."""
        return True

    def _committed(self, partition: int) -> None:
        """Less of a partition may be needed now."""

    async def _survey(self, partition: int) -> Survey:
        """What Redis knows of a partition now."""
        writers, last, *known = await self._link.run(SURVEY, partition)
        sessions = zip(*(known[it::4] for it in range(4)), strict=True)
        return Survey(writers, last, [Surveyed(_opened(how, committed), *others) for how, committed, *others in sessions])

    async def append(self, record: Record) -> None:  # noqa: ARG002 - the port's
        _not_here("appends")

    async def tail(self, session_id: str) -> Tail:  # noqa: ARG002 - the port's
        _not_here("asks for the tail")

    async def follow(self) -> AsyncIterator[Sequence[Followed]]:
        self._wake.set()  # the one before
        if self._pumping is not None:
            self._pumping.cancel()
        following = self._following = self._nothing()
        wake = self._wake = asyncio.Event()
        drained = asyncio.Event()
        pump = self._pumping = asyncio.create_task(self._pump(following, wake, drained), name="audio log")
        try:
            while following is self._following:
                if following.out:
                    batch = following.hear()
                    drained.set()
                    yield batch
                elif pump.done():
                    pump.result()
                    return
                else:
                    wake.clear()
                    await wake.wait()
        finally:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump

    async def _pump(self, following: S, wake: asyncio.Event, drained: asyncio.Event) -> None:
        """Take what is new of all partitions, until the log is closed and everything is read."""
        try:
            while True:
                self._tenure.changed.clear()
                await self._change(following)
                if following.out:
                    wake.set()
                found = await self._read(following)
                if following.out:
                    wake.set()
                if self._closed and not found and self._caught_up(following):
                    return
                while len(following.out) > WAITING:
                    drained.clear()
                    await drained.wait()
        except ShuttingDown:
            pass
        finally:
            wake.set()

    def place(self, session_id: str) -> tuple[int, str]:
        """As ``Fence``. Who has not yet heard that a partition was lost does not write by the lease that came after."""
        partition, epoch = self._tenure.place(session_id)
        return partition, epoch if not epoch or self._following.has_heard(partition, epoch) else LOST

    def lost(self, partition: int) -> None:
        """A write was refused."""
        self._tenure.lost(partition)

    async def commit(self, session_id: str, checkpoint: Checkpoint) -> None:
        partition, epoch = self.place(session_id)
        reading = self._following.commit(session_id, checkpoint)
        bounds = UNKNOWN if reading is None else reading.bounds
        place = (checkpoint.position, checkpoint.next_segment, checkpoint.sequence)
        packed = msgspec.msgpack.encode(checkpoint)
        if await self._link.run(COMMIT, session_id, partition, epoch, packed, *place, *bounds) == FENCED:
            self._tenure.lost(partition)
        else:
            self._committed(partition)

    async def forget(self, session_id: str) -> None:
        partition, epoch = self.place(session_id)
        if await self._link.run(FORGET, session_id, partition, epoch) == FENCED:
            self._tenure.lost(partition)
        else:
            self._following.forget(session_id)
            self._committed(partition)

    @property
    def sessions(self) -> int:
        """How many are followed."""
        return len(self._following.readings)

    def lag(self) -> int:
        return self._following.lag()

    async def close(self) -> None:
        self._closed = True
        self._wake.set()
        self._tenure.changed.set()


def _opened(how: bytes, committed: bytes) -> Opened:
    opened = replace(msgspec.msgpack.decode(how, type=Opened), taken_over=True)
    return replace(opened, checkpoint=msgspec.msgpack.decode(committed, type=Checkpoint)) if committed else opened


def _not_here(what: str) -> NoReturn:
    raise IllegalTransition(f"only a gateway {what}")
