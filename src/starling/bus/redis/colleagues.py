"""Colleagues on Redis: questions and answers are messages on the channels on which gateways hear of their sessions."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from starling.bus.redis.inbox import Inbox
from starling.bus.redis.link import Link
from starling.bus.redis.scripts import PRELUDE

QUESTION: Final = b"q"
ANSWER: Final = b"a"

ASK: Final = (
    PRELUDE
    + """
local _, gateway, number, question = unpack(ARGV)
local asked = {}
for _, name in ipairs(redis.call('ZRANGE', ns .. 'gateways', 0, -1)) do
  if name ~= gateway then
    asked[#asked + 1] = name
    asked[#asked + 1] = redis.call('PUBLISH', ns .. 'in:' .. name, 'q' .. number .. '\\0' .. gateway .. '\\0' .. question)
  end
end
return asked
"""
)
"""Asks all other gateways that gave a sign of life, or have sessions still: their names, and whether they hear anything."""


@dataclass(slots=True)
class _Asked:
    answers: dict[str, bytes] = field(default_factory=dict)
    came: asyncio.Event = field(default_factory=asyncio.Event)


class RedisColleagues:
    """The other gateways as one sees them. ``name``: its own."""

    def __init__(self, link: Link, inbox: Inbox) -> None:
        self.name = inbox.gateway
        self._link = link
        self._answer: Callable[[bytes], bytes] | None = None
        self._asked: dict[bytes, _Asked] = {}
        self._answering: set[asyncio.Task[None]] = set()
        inbox.on(QUESTION, self._on_question)
        inbox.on(ANSWER, self._on_answer)

    def on_question(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer

    async def ask(self, question: bytes) -> Mapping[str, bytes | None]:
        number, asked = secrets.token_hex(8).encode(), _Asked()
        self._asked[number] = asked
        try:
            told = await self._link.promptly(ASK, self.name, number, question)
            names = [name.decode() for name in told[::2]]
            listening = {name for name, hears in zip(names, told[1::2], strict=True) if hears}
            with suppress(TimeoutError):
                async with asyncio.timeout(self._link.prompt):
                    while not listening <= asked.answers.keys():
                        asked.came.clear()
                        await asked.came.wait()
            return {name: asked.answers.get(name) for name in names}
        finally:
            del self._asked[number]

    def _on_question(self, message: bytes) -> None:
        number, _, rest = message.partition(b"\0")
        asker, _, question = rest.partition(b"\0")
        if self._answer is None:
            return
        answer = b"\0".join((ANSWER + number, self.name.encode(), self._answer(question)))
        task = asyncio.create_task(self._link.tell(f"in:{asker.decode(errors='replace')}", answer), name="answer")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    def _on_answer(self, message: bytes) -> None:
        number, _, rest = message.partition(b"\0")
        name, _, answer = rest.partition(b"\0")
        if (asked := self._asked.get(number)) is not None:
            asked.answers.setdefault(name.decode(errors="replace"), answer)
            asked.came.set()
