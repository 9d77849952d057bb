"""ResultBus in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from starling.bus.history import KEPT, History, Progress
from starling.bus.memory.subscription import MemorySubscription
from starling.core.errors import SessionGone
from starling.core.transcript import SessionEvent


@dataclass(slots=True)
class _Channel:
    """One session on the result bus."""

    subscription: MemorySubscription
    history: History
    progress: Progress = field(default_factory=Progress)


class MemoryResultBus:
    """ResultBus in memory. ``kept``: lasting events of each session."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._channels: dict[str, _Channel] = {}

    async def subscribe(self, session_id: str, *, after: int | None = None) -> MemorySubscription:
        channel = self._channels.get(session_id)
        if after is None:
            subscription = MemorySubscription()
            self._channels[session_id] = _Channel(subscription, History(self._kept))
        elif channel is None:
            raise SessionGone(f"nothing is kept of session {session_id}")
        else:
            subscription = MemorySubscription(channel.history.after(after))
            self._channels[session_id] = replace(channel, subscription=subscription)
        if channel is not None:
            channel.subscription.close()
        return subscription

    async def publish(self, event: SessionEvent) -> None:
        channel = self._channels.get(event.session_id)
        if channel is not None and (new := channel.progress.accept(event)) is not None:
            channel.history.add(new)
            channel.subscription.put(new)

    async def forget(self, session_id: str) -> None:
        channel = self._channels.pop(session_id, None)
        if channel is not None:
            channel.subscription.close()
