"""LoadBoard on Redis: recognizers publish what they have to do, gateways remember what they heard of late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import msgspec

from starling.bus.redis.inbox import LOADS, Inbox
from starling.bus.redis.link import Link
from starling.core.errors import IllegalTransition
from starling.core.load import Load

FRESH: Final = 2.0
"""Seconds for which a recognizer's word counts. It speaks four times a second."""


class RecognizerLoadBoard:
    """The LoadBoard of a recognizer. ``offset``: what makes its clock the wall's, in seconds.

    What cannot be published at once is not published at all: the next word follows soon.
    """

    def __init__(self, link: Link, *, offset: float = 0.0) -> None:
        self._link = link
        self._offset = offset
        self._publishing: set[asyncio.Task[None]] = set()

    def post(self, worker_id: str, load: Load) -> None:
        self._publish(msgspec.msgpack.encode((worker_id, replace(load, at=load.at + self._offset))))

    def withdraw(self, worker_id: str) -> None:
        self._publish(msgspec.msgpack.encode((worker_id, None)))

    def loads(self) -> Mapping[str, Load]:
        raise IllegalTransition("only a gateway reads the load board")

    def _publish(self, message: bytes) -> None:
        if self._link.up is not False:
            task = asyncio.create_task(self._link.tell(LOADS, b"l" + message), name="load")
            self._publishing.add(task)
            task.add_done_callback(self._publishing.discard)


class GatewayLoadBoard:
    """The LoadBoard of a gateway. ``now``: its clock."""

    def __init__(self, inbox: Inbox, now: Callable[[], float], *, offset: float = 0.0) -> None:
        self._now = now
        self._offset = offset
        self._heard: dict[str, tuple[float, Load]] = {}
        inbox.on(b"l", self._on_load)

    def post(self, worker_id: str, load: Load) -> None:  # noqa: ARG002 - the port's
        raise IllegalTransition("only a recognizer posts on the load board")

    def withdraw(self, worker_id: str) -> None:  # noqa: ARG002 - the port's
        raise IllegalTransition("only a recognizer posts on the load board")

    def loads(self) -> Mapping[str, Load]:
        oldest = self._now() - FRESH
        self._heard = {name: (at, load) for name, (at, load) in self._heard.items() if at >= oldest}
        return {name: load for name, (_, load) in self._heard.items()}

    def _on_load(self, message: bytes) -> None:
        worker_id, load = msgspec.msgpack.decode(message, type=tuple[str, Load | None])
        if load is None:
            self._heard.pop(worker_id, None)
        else:
            self._heard[worker_id] = self._now(), replace(load, at=load.at - self._offset)
