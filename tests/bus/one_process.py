"""Buses whose two ends share a process, wherever what they carry is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Generic, Protocol, TypeVar

from starling.core.ports import AudioLog, Subscription
from starling.core.records import Checkpoint, Followed, Record, Tail
from starling.core.transcript import SessionEvent

G = TypeVar("G", bound=AudioLog)
R = TypeVar("R", bound=AudioLog)


class OneProcessLog(Generic[G, R]):
    """An AudioLog whose ends are a gateway's and a recognizer's."""

    def __init__(self, gateway: G, recognizer: R) -> None:
        self.gateway = gateway
        self.recognizer = recognizer

    async def append(self, record: Record) -> None:
        await self.gateway.append(record)

    def follow(self) -> AsyncIterator[Sequence[Followed]]:
        return self.recognizer.follow()

    async def commit(self, session_id: str, checkpoint: Checkpoint) -> None:
        await self.recognizer.commit(session_id, checkpoint)

    async def forget(self, session_id: str) -> None:
        await self.recognizer.forget(session_id)
        await self.gateway.forget(session_id)

    async def tail(self, session_id: str) -> Tail:
        return await self.gateway.tail(session_id)

    def lag(self) -> int:
        return self.gateway.lag()

    async def close(self) -> None:
        await self.gateway.close()
        await self.recognizer.close()


class Hearing(Protocol):
    """A gateway's end of a ResultBus."""

    async def subscribe(self, session_id: str, *, after: int | None = None) -> Subscription: ...

    async def forget(self, session_id: str) -> None: ...


class Telling(Protocol):
    """A recognizer's end of a ResultBus."""

    async def publish(self, event: SessionEvent) -> None: ...


class OneProcessResults:
    """A ResultBus of two ends. Nobody owns its sessions."""

    def __init__(self, gateway: Hearing, recognizer: Telling) -> None:
        self.gateway = gateway
        self.recognizer = recognizer

    async def subscribe(self, session_id: str, *, after: int | None = None) -> Subscription:
        return await self.gateway.subscribe(session_id, after=after)

    async def publish(self, event: SessionEvent) -> None:
        await self.recognizer.publish(event)

    async def forget(self, session_id: str) -> None:
        await self.gateway.forget(session_id)
