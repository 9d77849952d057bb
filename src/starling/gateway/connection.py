"""One client's connection: a socket, and the dialect that is spoken on it. A session may outlive several."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress

from starling.core.errors import SlowConsumer, StarlingError
from starling.gateway.arrivals import Arrivals
from starling.gateway.options import GatewayOptions
from starling.gateway.readers import NOBODY
from starling.gateway.socket import Gone, Wire
from starling.protocols.verbs import Adapter, Frame, Leave, Open, Resume, Say, Verb
from starling.telemetry.metrics import Metrics

NATIVE = "native"


class Connection:
    """What is said goes out in the order of its numbers, and nothing follows the last word.

    ``patient``: until a session opens its client may be silent as long as in one. ``protocol``: what is spoken. ``reading`` is
    entered while a frame is parsed.
    """

    def __init__(
        self,
        socket: Wire,
        adapter: Adapter,
        options: GatewayOptions,
        metrics: Metrics,
        *,
        patient: bool = False,
        protocol: str = NATIVE,
    ) -> None:
        self.socket = socket
        self.protocol = protocol
        self.adapter = adapter
        self.arrivals = Arrivals(socket, options, metrics)
        self.verdict: type[StarlingError] | None = None  # why it ends, unless the client wanted it to
        self.over = False  # the last word was said
        self.finished = asyncio.Event()
        self.waiting: Sequence[Verb] = adapter.connected()  # verbs that nobody has obeyed yet
        self.reading: AbstractContextManager[None] = NOBODY
        self._patient = patient
        self._metrics = metrics
        self._saying = asyncio.Lock()
        self._sent = 0  # frames, which an adapter numbers from 0

    async def greeting(self) -> tuple[Open | Resume, *tuple[Verb, ...]]:
        """Wait for the frame that says which session this is about. Any error is the end: nothing after it can be understood."""
        first = True
        while True:
            verbs, self.waiting = self.waiting, ()
            for place, verb in enumerate(verbs):
                match verb:
                    case Open() | Resume():
                        return verb, *verbs[place + 1 :]
                    case Say(frames):
                        await self.answer(frames)
                    case Leave():
                        raise Gone(deliberate=True)
                    case _:
                        pass
            wait = self.arrivals.opening if first or not self._patient else self.arrivals.next
            self.waiting = self.understand(await wait())
            first = False

    def understand(self, frame: Frame) -> Sequence[Verb]:
        """What the client says by ``frame``. Raises ClientError."""
        with self.reading:
            return self.adapter.receive(frame)

    def renewed(self) -> bool:
        """Whether another session may begin on this connection, now that one is over; then it is ready for it."""
        lasts = self.over and self.verdict is None and self.arrivals.stopped is None and self.adapter.lasts
        if lasts:
            self.over = False
            self.arrivals.again()
        return lasts

    async def answer(self, frames: Sequence[Frame]) -> None:
        """Send what the adapter answers at once."""
        await self.say(lambda: frames, "answer")

    async def say(self, write: Callable[[], Sequence[Frame]], label: str) -> int:
        """Send what ``write`` gives; the number of the last frame sent. Raises Gone and SlowConsumer."""
        async with self._saying:
            if self.over:
                return self._sent - 1
            for frame in write():
                await self.socket.send(frame)
                self._sent += 1
            sequence = self._sent - 1
        self._metrics.results_sent.labels(type=label).inc()
        return sequence

    async def refuse(self, error: StarlingError) -> None:
        """Tell ``error``, if the client is there, and close with it later."""
        self.verdict = type(error)
        with suppress(Gone, SlowConsumer):
            await self.say(lambda: self.adapter.error(error), "error")

    async def close(self) -> None:
        """Say goodbye, and let whoever waits for the end of this connection go."""
        if self.finished.is_set():
            return
        self.over = True
        self.arrivals.close()
        try:
            await self.socket.close(*self.adapter.closing(self.verdict))
        finally:
            self.finished.set()
