"""``starling serve`` with several processes, its victims, and clients whose captions must not suffer."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from patience import PATIENCE
from processes import alive, strike
from starling.client import connect
from starling.client.conversation import converse
from starling.core.audio import SAMPLE_RATE, Samples
from starling.protocols.native.messages import Result, ServerMessage

CHUNK = SAMPLE_RATE // 10

Final = tuple[int, str, float, float]
"""Segment, text, start and end in seconds."""


@dataclass(slots=True)
class Platform:
    """A running server. ``pid``: of its supervisor."""

    process: asyncio.subprocess.Process
    url: str
    log: list[str] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.process.pid

    def of_role(self, role: str) -> list[int]:
        """Process ids of the ``gateway``, of every ``worker``, or of a ``template`` that lives."""
        found = []
        for children in Path(f"/proc/{self.pid}/task").glob("*/children"):
            for child in map(int, children.read_text().split()):
                with suppress(OSError):
                    if Path(f"/proc/{child}/comm").read_text().startswith(role) and alive(child):
                        found.append(child)
        return sorted(found)

    async def ended(self, pid: int) -> None:
        """Wait until the process is."""
        await eventually(lambda: not alive(pid))

    async def until_heard(self, sessions: int, seconds: float) -> None:
        """Wait until so many sessions were opened, and as long as they need to say so much."""
        await self.until_logged("session opened", sessions)
        await asyncio.sleep(seconds)

    async def until_logged(self, event: str, count: int = 1) -> None:
        """Wait for ``count`` lines that say ``event``."""
        await eventually(lambda: sum(f'"event": "{event}"' in line for line in self.log) >= count)


async def eventually(true: Callable[[], bool]) -> None:
    """Wait until ``true`` is."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - other processes make it true
            await asyncio.sleep(0.02)


@asynccontextmanager
async def platform(
    *options: str,
    settings: Mapping[str, str] | None = None,
    workers: int,
    module: str = "starling",
    directory: Path | None = None,
    status: int = 0,
) -> AsyncIterator[Platform]:
    """A server with the scripted engine, unless the environment in ``settings`` says otherwise; it must end with ``status``.

    It serves as soon as one worker does. Who attacks it attacks all of it: each of its ``workers`` is ready too. One that is hit
    before that counts as one that never was.
    """
    environment = os.environ | {"STARLING_ENGINE__NAME": "scripted", "STARLING_SERVER__MAX_SESSIONS_PER_ADDRESS": "100"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, "serve", "--port", "0", "--log-format", "json", "--workers", str(workers), *options,
        env=environment | dict(settings or {}),
        cwd=directory,
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
    try:
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode()
        assert "listens on http://" in line, "".join(log)
        server = Platform(process, next(word for word in line.split() if word.startswith("http://")), log)
        await server.until_logged("process ready", workers + 1)
        yield server
        strike(process, signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == status, "".join(log)
    finally:
        strike(process, signal.SIGKILL)
        await process.wait()
        await listening
        await process.stdout.read()  # else the loop may end before it hears that the pipe did


async def caption(
    url: str, sound: Samples, *, speed: float, begin: float = 0.0, headers: Mapping[str, str] | None = None
) -> list[Final]:
    """The finals of a session that speaks ``sound`` ``speed`` times as fast as real time, from ``begin`` seconds on."""
    messages: list[ServerMessage] = []
    await asyncio.sleep(begin)
    loop = asyncio.get_running_loop()

    async def spoken() -> AsyncIterator[Samples]:
        began = loop.time()
        for start in range(0, len(sound), CHUNK):
            await asyncio.sleep(began + start / SAMPLE_RATE / speed - loop.time())
            yield sound[start : start + CHUNK]

    async with connect(url, open_timeout=PATIENCE, headers=headers) as session:
        await converse(session, spoken(), messages.append)
    return [(m.segment_id, m.text, m.start, m.end) for m in messages if isinstance(m, Result) and m.is_final]


async def all_captions(url: str, sounds: Sequence[Samples], *, speed: float) -> list[list[Final]]:
    """Sessions that speak at once, begun over half a second."""
    return await asyncio.gather(
        *(caption(url, sound, speed=speed, begin=0.5 * n / len(sounds)) for n, sound in enumerate(sounds))
    )
