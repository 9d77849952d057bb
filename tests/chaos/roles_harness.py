"""Gateways and recognizers as processes of their own on one Redis, and the balancer that clients find them by."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from chaos.platform_harness import eventually
from kafka_broker import KafkaBroker
from patience import PATIENCE
from processes import strike
from redis_server import RedisServer

_NUMBERS = count()
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(slots=True)
class Role:
    """One role: the process that works, ``process.pid``, and its ``attendant``, which was started and is what ``end`` ends.

    ``url``: where it answers over HTTP.
    """

    process: asyncio.subprocess.Process
    attendant: int
    url: str
    log: list[str]
    listening: asyncio.Task[None]

    def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and answer of a GET; 0 where nobody answers."""
        try:
            with _DIRECTLY.open(self.url + path, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}

    async def until_ready(self, *, ready: bool = True) -> None:
        async with asyncio.timeout(PATIENCE):
            while (await asyncio.to_thread(self.ask, "readyz"))[0] != (200 if ready else 503):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    async def status(self) -> dict[str, Any]:
        return (await asyncio.to_thread(self.ask, "status"))[1]

    async def until_holding(self, partitions: int) -> None:
        """Until a recognizer has so many or more."""
        async with asyncio.timeout(PATIENCE):
            while len((await self.status())["bus"]["held"]) < partitions:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    def said(self, event: str) -> int:
        return sum(f'"event": "{event}"' in line for line in self.log)

    async def until_said(self, event: str, count: int = 1) -> None:
        """Wait for ``count`` lines that say ``event``."""
        await eventually(lambda: self.said(event) >= count)

    def figure(self, metric: str) -> float | None:
        """The value of a metric without labels; None where nobody answers."""
        with suppress(OSError), _DIRECTLY.open(f"{self.url}metrics", timeout=2) as answer:
            for line in answer.read().decode().splitlines():
                name, _, value = line.partition(" ")
                if name == metric:
                    return float(value)
        return None

    def strike(self, how: signal.Signals) -> None:
        """Send a signal to who works, past its attendant."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, how)

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status."""
        strike(self.process, how, self.attendant)
        async with asyncio.timeout(PATIENCE):
            status = await self.process.wait()
            await self.listening
            assert self.process.stdout is not None
            await self.process.stdout.read()  # else the loop may end before it hears that the pipe did
        return status


@dataclass(slots=True)
class Apart:
    """Roles on one Redis. Clients that connect to ``url`` are passed on to one gateway after the other, as far as they live."""

    redis: RedisServer
    environment: Mapping[str, str]
    module: str = "starling"
    url: str = ""
    gateways: list[Role] = field(default_factory=list)
    recognizers: list[Role] = field(default_factory=list)
    _turn: int = 0

    async def gateway(self, *, host: str = "127.0.0.1", within: Sequence[str] = ()) -> Role:
        """``host``: the address on which it listens; ``within``: words of a command that runs it in another network."""
        role = await self._start(*within, sys.executable, "-m", self.module, "gateway", "--host", host, "--port", "0")
        self.gateways.append(role)
        return role

    async def recognizer(self, url: str = "", *, host: str = "127.0.0.1", within: Sequence[str] = ()) -> Role:
        """``url``: another way to Redis than that of all. ``host`` and ``within`` as of a gateway."""
        words = (sys.executable, "-m", self.module, "recognizer", "--status-host", host, "--status-port", "0")
        role = await self._start(*within, *words, *(("--bus", url) if url else ()))
        self.recognizers.append(role)
        return role

    async def _start(self, *words: str) -> Role:
        process = await asyncio.create_subprocess_exec(
            *words, "--log-format", "json",
            env=os.environ | dict(self.environment),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        log: list[str] = []
        errors = process.stderr

        async def listen() -> None:
            while line := await errors.readline():
                log.append(line.decode())

        listening = asyncio.create_task(listen())
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode()
        assert "http://" in line, line + "".join(log)
        url = next(word for word in line.split() if word.startswith("http://")).removesuffix("status")
        attendant = process.pid
        [process.pid] = await asyncio.to_thread(children_of, attendant)
        return Role(process, attendant, url, log, listening)

    async def balance(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on."""
        with suppress(OSError, asyncio.IncompleteReadError):
            for _ in self.gateways:
                self._turn += 1
                gateway = self.gateways[self._turn % len(self.gateways)]
                host, port = gateway.url.removeprefix("http://").rstrip("/").rsplit(":", 1)
                try:
                    there = await asyncio.open_connection(host, int(port))
                except OSError:
                    continue
                await asyncio.gather(_pipe(reader, there[1]), _pipe(there[0], writer))
                break
        writer.close()

    async def settled(self) -> None:
        """Until each recognizer that lives has its share, and each gateway knows of one."""
        for role in (*self.recognizers, *self.gateways):
            if role.process.returncode is None:
                await role.until_ready()

    async def until_heard(self, sessions: int, seconds: float) -> None:
        """Wait until so many sessions were opened, and as long as they need to say so much."""
        await eventually(lambda: sum(gateway.said("session opened") for gateway in self.gateways) >= sessions)
        await asyncio.sleep(seconds)

    async def held(self) -> list[int]:
        """How many partitions each living recognizer has."""
        told = [await role.status() for role in self.recognizers if role.process.returncode is None]
        return [len(one["bus"]["held"]) for one in told]

    async def until_shared(self, *shares: int) -> None:
        """Until the living recognizers have as many partitions."""
        async with asyncio.timeout(PATIENCE):
            while sorted(await self.held()) != sorted(shares):  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.05)


def on_kafka(broker: KafkaBroker, redis: RedisServer, topic: str) -> Mapping[str, str]:
    """Settings of roles whose audio is there."""
    return {"STARLING_BUS__URL": broker.url, "STARLING_BUS__STORE": redis.url, "STARLING_BUS__TOPIC": topic}


def children_of(pid: int) -> list[int]:
    """Process ids."""
    found = (path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for children in found for child in children]


class Wire:
    """A way to Redis that can be cut: what is sent meanwhile is neither lost nor refused, as in a network that is parted."""

    def __init__(self, redis: RedisServer) -> None:
        self.whole = asyncio.Event()
        self.whole.set()
        self._redis = redis

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[str]:
        """Its URL, while the block runs."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
            server.close()
            self.whole.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_unix_connection(str(self._redis.path))
        await asyncio.gather(self._carry(reader, there[1]), self._carry(there[0], writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self.whole.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.transport.abort() if reader.exception() else writer.close()


@asynccontextmanager
async def apart(
    redis: RedisServer, *, gateways: int, recognizers: int, settings: Mapping[str, str] | None = None, module: str = "starling"
) -> AsyncIterator[Apart]:
    """So many of each, ready. All that still live at the end must end well when told to."""
    environment = {
        "STARLING_BUS__URL": redis.url,
        "STARLING_BUS__PREFIX": f"apart {next(_NUMBERS)}:",
        "STARLING_ENGINE__NAME": "scripted",
        "STARLING_SERVER__MAX_SESSIONS_PER_ADDRESS": "100",
    }
    if module != "starling":
        environment |= {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]), "OPENBLAS_NUM_THREADS": "1"}
    it = Apart(redis, environment | dict(settings or {}), module)
    async with AsyncExitStack() as cleanup:
        balancer = await asyncio.start_server(it.balance, "127.0.0.1", 0)
        await cleanup.enter_async_context(balancer)
        it.url = f"http://127.0.0.1:{balancer.sockets[0].getsockname()[1]}/"

        @cleanup.push_async_callback
        async def kill() -> None:
            """Who failed leaves nothing behind that would fail another test, as pipes do that nobody closed."""
            for role in (*it.gateways, *it.recognizers):
                await role.end(signal.SIGKILL)

        await asyncio.gather(*(it.recognizer() for _ in range(recognizers)), *(it.gateway() for _ in range(gateways)))
        await it.settled()
        yield it
        for role in (*it.gateways, *it.recognizers):
            if role.process.returncode is None:
                assert await role.end() == 0, "".join(role.log)
