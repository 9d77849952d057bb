"""What anybody may ask a gRPC server, without a key: whether it takes calls, and which calls those are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from google.protobuf.message import DecodeError

from starling.core.errors import InvalidMessage, NotFound, Overloaded, ShuttingDown, SlowConsumer
from starling.gateway.access import network
from starling.gateway.admission import GOODBYE
from starling.gateway.call import Handle, address_of, next_message
from starling.gateway.options import GatewayOptions
from starling.gateway.readers import Readers, is_public
from starling.protocols.calls import Service
from starling.protocols.reflection import Reflection
from starling.protocols.wire import health_pb2, reflection_pb2
from starling.telemetry.health import Health

MOST: Final = 256
"""Inquiries at once: a balancer has one open, and strangers must leave room for calls."""

EACH: Final = 16
"""Of these from one network in the public internet, or one stranger would leave no room for the balancer's."""

HEALTH: Final = "/grpc.health.v1.Health/"

REFLECTION: Final = "/grpc.reflection.{}.ServerReflection/ServerReflectionInfo"

Status = health_pb2.HealthCheckResponse


class Inquiries:
    """``handlers``: who answers, by the path of the call; what they raise is its status. ``close`` ends those that last."""

    def __init__(self, service: Service, health: Health, options: GatewayOptions, readers: Readers) -> None:
        self._health = health
        self._options = options
        self._readers = readers
        self._name = service.name
        self._known = {"", service.name}
        described = [health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR]
        self._reflection = Reflection([*described, *([] if service.definition is None else [service.definition()])])
        self._open: set[asyncio.Event] = set()  # each set when there may be news
        self._strangers: Counter[str] = Counter()  # how many of these are of each network
        self._closed = False
        self._forget = health.listen(self._ring)
        self.handlers: Mapping[str, Handle] = {
            f"{HEALTH}Check": self._check,
            f"{HEALTH}Watch": self._watch,
            REFLECTION.format("v1"): self._reflect,
            REFLECTION.format("v1alpha"): self._reflect,
        }

    def close(self) -> None:
        """Who watches is told to go elsewhere. Returns at once."""
        self._closed = True
        self._forget()
        self._ring()

    def _ring(self) -> None:
        for news in self._open:
            news.set()

    async def _check(self, context: Any) -> None:
        with self._counted(context):
            if await self._asked(context) not in self._known:
                raise NotFound(f"the service here is {self._name}")
            await self._tell(context, self._status().SerializeToString())

    async def _watch(self, context: Any) -> None:
        """Now, and whenever it changes. A service that is not known here may be one day, as the protocol has it."""
        with self._counted(context) as news:
            known = await self._asked(context) in self._known
            told = None
            while not self._closed:
                news.clear()
                status = self._status() if known else Status(status=Status.SERVICE_UNKNOWN)
                if status != told:
                    await self._tell(context, status.SerializeToString())
                    told = status
                await news.wait()
            raise ShuttingDown(GOODBYE)

    async def _reflect(self, context: Any) -> None:
        with self._counted(context) as news:
            closing = asyncio.create_task(self._closing(news))
            answering = asyncio.create_task(self._describe(context))
            try:
                await asyncio.wait((closing, answering), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (closing, answering):
                    task.cancel()
                await asyncio.wait((closing, answering))
            if answering.cancelled():
                raise ShuttingDown(GOODBYE)
            answering.result()

    async def _describe(self, context: Any) -> None:
        while (question := await next_message(context, self._options.idle_timeout)) is not None:
            with self._readers.of(address_of(context.peer())):
                answer = self._reflection.answer(question)
            await self._tell(context, answer)

    async def _closing(self, news: asyncio.Event) -> None:
        while not self._closed:
            news.clear()
            await news.wait()

    async def _asked(self, context: Any) -> str:
        """The service that is asked about."""
        message = await next_message(context, self._options.start_timeout)
        try:
            if message is not None:
                with self._readers.of(address_of(context.peer())):
                    return health_pb2.HealthCheckRequest.FromString(message).service
        except DecodeError:
            pass
        raise InvalidMessage("expected a HealthCheckRequest")

    def _status(self) -> Status:
        return Status(status=Status.SERVING if self._health.ready else Status.NOT_SERVING)

    async def _tell(self, context: Any, message: bytes) -> None:
        limit = self._options.send_timeout
        try:
            async with asyncio.timeout(limit):
                await context.write(message)
        except TimeoutError:
            raise SlowConsumer(f"nothing was read for {limit:g} seconds; read answers as they come") from None

    @contextmanager
    def _counted(self, context: Any) -> Iterator[asyncio.Event]:
        address = address_of(context.peer())
        stranger = network(address) if is_public(address) else ""
        if len(self._open) >= MOST:
            raise self._crowded(f"{MOST} inquiries are open")
        if stranger and self._strangers[stranger] >= EACH:
            raise self._crowded(f"{EACH} inquiries of your network are open")
        news = asyncio.Event()
        self._open.add(news)
        self._strangers[stranger] += 1
        try:
            yield news
        finally:
            self._open.remove(news)
            self._strangers[stranger] -= 1
            self._strangers += Counter()  # which drops those of whom none is left

    def _crowded(self, why: str) -> Overloaded:
        return Overloaded(f"{why}; ask again later", gate="gateway", retry_after=self._options.retry_after)
