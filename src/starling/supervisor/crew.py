"""The processes themselves: how one is started, and what it says of itself. And the sessions that they work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from starling.core.errors import StarlingError
from starling.core.load import Load
from starling.core.ports import Work
from starling.supervisor.fleet import Member
from starling.supervisor.sheets import InHand


class Child(Protocol):
    """A process that was started, as ``asyncio.subprocess.Process`` is one."""

    @property
    def pid(self) -> int: ...

    async def wait(self) -> int:
        """Its exit status, once it is reaped; negative: the signal that ended it."""

    def send_signal(self, signal: int) -> None:
        """Nothing happens if it is reaped."""

    def kill(self) -> None:
        """The signal that nobody survives."""


class Crew(Protocol):
    """Starts members of the fleet, and knows what they say of themselves."""

    async def start(self, member: Member) -> Child: ...

    def is_ready(self, member: Member) -> bool:
        """It says that it works."""

    def beat(self, member: Member) -> float:
        """When it last gave a sign of life, in seconds of the monotonic clock."""

    def in_hand(self, member: Member) -> Mapping[Work, InHand]:
        """What its models work on, or worked on when it ended."""

    def failure(self, member: Member) -> StarlingError | None:
        """Why it could not start, if it said so."""

    def suspect(self, keys: Sequence[int]) -> None:
        """Tell all of them whose audio is to be kept apart."""

    def cleared(self, member: Member) -> None:
        """It was reaped, and all that it said was read."""


class Sessions(Protocol):
    """Whose each session is. ``key`` names a session as sheets do; a slot is its place in the arena."""

    def waiting(self) -> Sequence[int]:
        """Slots of sessions that nobody has."""

    def owned(self, worker: int) -> int:
        """How many ``worker`` has."""

    def loads(self) -> Mapping[int, Load]:
        """What each worker last said of itself, by its row."""

    def assign(self, slot: int, worker: int) -> None:
        """Give a session that nobody has to ``worker``."""

    def reclaim(self, worker: int) -> int:
        """Take back all sessions of ``worker``, whose process was reaped; how many."""

    def commits(self) -> Mapping[int, int]:
        """The committed position of every open session, by its key."""

    async def fail(self, key: int, error: StarlingError) -> None:
        """End a session that nobody has, and let its client know why."""
