"""Recordings to a server, and texts back.

::

    async with Jobs("http://127.0.0.1:8000") as jobs:
        task = await jobs.submit(Path("call.mp3"))
        done = await jobs.wait(task.task_id)
        print(done.result.text)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, TypeAlias, TypeVar, Unpack

import httpx2
import msgspec

from starling.client.address import is_loopback, plain_url
from starling.client.errors import JobFailed, ProtocolMismatch, Refused, Unreachable, overloaded
from starling.client.retrying import waits
from starling.client.task import FileFormat, JobOptions, Page, Queue, Segment, Submitted, Task
from starling.client.trust import trusting
from starling.core.errors import NotFound, StarlingError
from starling.core.hotwords import HotWord
from starling.core.jobs import JobStatus
from starling.protocols.errors import KINDS

API: Final = "/api/v1"
PATIENCE: Final = httpx2.Timeout(60.0, connect=10.0)
"""Seconds for each step; a server that waits says that it is there more often."""

LARGEST: Final = 64 << 20
"""Bytes of an answer: a day of speech with all its words takes less."""

LARGEST_EVENT: Final = 4 << 20
"""Bytes of a line among events, which is a segment or the state of a job."""

LARGEST_REFUSAL: Final = 64 << 10
"""Bytes of the document that says why a request was refused."""

ATTEMPTS: Final = 8
"""Connections in a row that may fail before a job is not followed any more."""

News: TypeAlias = Task | Segment
"""What is heard of a job: how far it is, and what was found."""

T = TypeVar("T")


class Jobs:
    """At the server of ``url`` (see ``address.stream_url``). Use it as a context manager.

    ``api_key``: for a server that asks for one; ``ca``: certificates in PEM that may vouch for an ``https`` server. A proxy set
    in the environment is used, except to this machine. Every method raises Unreachable, Refused, Overloaded with ``retry_after``,
    ProtocolMismatch, and what of ``core.errors`` the server names: NotFound, Conflict, CorruptAudio and so on.
    """

    def __init__(self, url: str, *, api_key: str | None = None, ca: Path | None = None) -> None:
        self._base = plain_url(url, "")
        trust = trusting(ca, self._base)
        self._http = httpx2.AsyncClient(
            base_url=self._base,
            headers={} if api_key is None else {"Authorization": f"Bearer {api_key}"},
            timeout=PATIENCE,
            trust_env=not is_loopback(self._base),
            verify=True if trust is None else trust,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def submit(
        self, source: Path | BinaryIO | bytes, *, name: str | None = None, **options: Unpack[JobOptions]
    ) -> Submitted:
        """Hand in a recording: a path, an open file that can seek, or its bytes. Raises OSError as ``open`` does.

        It is read as it goes. ``name``: for people; that of the file if None.
        """
        fields, headers = _fields(options)
        async with AsyncExitStack() as opened:
            file: BinaryIO | bytes
            if isinstance(source, Path):
                file = await asyncio.to_thread(source.open, "rb")
                opened.push_async_callback(asyncio.to_thread, file.close)
            else:
                file = source
            called = name or Path(str(getattr(file, "name", "recording"))).name
            return await self._ask(
                "POST", "/asr/submit", Submitted, files={"audio": (called, file)}, data=fields, headers=headers
            )

    async def get(self, task_id: str) -> Task:
        """How a job is, with its text if it is done."""
        return await self._ask("GET", f"/asr/result/{task_id}", Task)

    async def text(self, task_id: str, form: FileFormat = "text") -> str:
        """The text of a job that is done, as a file. Raises Conflict for one that is not."""
        async with self._answer("GET", f"/asr/result/{task_id}", params={"format": form}) as answer:
            return (await _whole(answer, LARGEST)).decode(errors="replace")

    async def history(self, **query: str | int) -> Page:
        """Jobs, the newest first, as ``GET /api/v1/asr/history`` has it: status, search, since, until, limit, cursor."""
        return await self._ask("GET", "/asr/history", Page, params=query)

    async def retry(self, task_id: str) -> Submitted:
        """Do a job again that failed or was cancelled."""
        return await self._ask("POST", f"/asr/retry/{task_id}", Submitted)

    async def cancel(self, task_id: str) -> Submitted:
        """Stop a job that is not over. It stays in the history, and can be retried."""
        return await self._ask("POST", f"/asr/cancel/{task_id}", Submitted)

    async def delete(self, task_id: str) -> None:
        """Forget a job with its recording and text; it is cancelled if it is not over."""
        async with self._answer("DELETE", f"/asr/task/{task_id}"):
            return

    async def queue(self) -> Queue:
        """What waits."""
        return await self._ask("GET", "/asr/queue/status", Queue)

    async def follow(self, task_id: str) -> AsyncGenerator[News]:
        """What is heard of a job until it is over: each segment once, whatever becomes of connections."""
        heard, failed, pauses = 0, 0, waits()
        while True:
            try:
                async with aclosing(self._events(task_id, heard)) as events:
                    async for number, news in events:
                        heard, failed, pauses = number, 0, waits()
                        yield news
                        if isinstance(news, Task) and news.status.over:
                            return
            except (Unreachable, httpx2.TransportError) as error:
                failed += 1
                if failed >= ATTEMPTS:
                    raise Unreachable(
                        f"{self._base} was lost while a recording was transcribed, and did not come back"
                    ) from error
            await asyncio.sleep(next(pauses))

    async def wait(self, task_id: str) -> Task:
        """The job with its text once it is done. Raises JobFailed for one that failed or was cancelled."""
        async with aclosing(self.follow(task_id)) as news:
            async for _ in news:
                pass
        task = await self.get(task_id)
        if task.status is not JobStatus.DONE:
            error = task.error
            code, message = (task.status.value, f"the job was {task.status}") if error is None else (error.code, error.message)
            raise JobFailed(f"{task.name}: {message}", reason=code)
        return task

    async def _events(self, task_id: str, heard: int) -> AsyncGenerator[tuple[int, News]]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(heard)}
        async with self._answer("GET", f"/asr/events/{task_id}", headers=headers) as answer:
            name, number = b"", heard
            async for line in _lines(answer):
                field, _, value = line.partition(b": ")
                match field:
                    case b"event":
                        name = value
                    case b"id":
                        number = self._read(value, int)
                    case b"data":
                        kind: type[News] = Segment if name == b"segment" else Task
                        yield number, self._read(value, kind)

    async def _ask(self, method: str, path: str, kind: type[T], **request: Any) -> T:
        async with self._answer(method, path, **request) as answer:
            return self._read(await _whole(answer, LARGEST), kind)

    @asynccontextmanager
    async def _answer(self, method: str, path: str, **request: Any) -> AsyncIterator[httpx2.Response]:
        try:
            async with self._http.stream(method, API + path, **request) as answer:
                if answer.is_error or answer.is_redirect:
                    raise _refusal(self._base, answer.status_code, answer.headers, await _whole(answer, LARGEST_REFUSAL))
                yield answer
        except httpx2.ConnectError as error:
            raise Unreachable(f"cannot reach {self._base}: {error}. Is the server running? `starling serve` starts one") from None
        except httpx2.TimeoutException:
            raise Unreachable(f"{self._base} did not answer in time") from None
        except httpx2.RequestError as error:
            raise Unreachable(f"the connection to {self._base} broke: {str(error) or type(error).__name__}") from None

    def _read(self, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ProtocolMismatch(f"expected a Starling server of this version at {self._base}: {error}") from None


async def _whole(answer: httpx2.Response, most: int) -> bytes:
    """All that comes. Raises ProtocolMismatch where that is more than ``most`` bytes."""
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        _check_size(len(body), most)
    return bytes(body)


async def _lines(answer: httpx2.Response) -> AsyncIterator[bytes]:
    """Line by line. Raises ProtocolMismatch for one that is too long for an event."""
    unread = b""
    async for piece in answer.aiter_bytes():
        *lines, unread = (unread + piece).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")
        _check_size(len(unread), LARGEST_EVENT)


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise ProtocolMismatch(f"expected an answer of at most {most} bytes, and more came: is this a Starling server?")


class _Problem(msgspec.Struct):
    code: str
    detail: str


def _refusal(base: str, status: int, headers: Mapping[str, str], body: bytes) -> StarlingError:
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except (msgspec.DecodeError, RecursionError):
        hint = "is this the address of a Starling server that takes recordings?"
        return (
            NotFound(hint) if status == NotFound.http_status else Refused(f"{base} answered HTTP {status}: {hint}", status=status)
        )
    if status in {429, 503}:
        wait = headers.get("retry-after", "")
        return overloaded(problem.detail, float(wait) if wait.isascii() and wait.isdecimal() else None)
    kind = KINDS.get(problem.code)
    return Refused(f"{base}: {problem.detail}", status=status) if kind is None else kind(problem.detail)


def _fields(options: JobOptions) -> tuple[dict[str, Any], dict[str, str]]:
    """Fields of the form, and headers."""
    fields: dict[str, Any] = {}
    headers: dict[str, str] = {}
    for name, value in options.items():
        match name, value:
            case "idempotency_key", str(key):
                headers["Idempotency-Key"] = key
            case "hotwords", list(words):
                fields[name] = [json.dumps([_hot_word(word) for word in words])]
            case _, list(values):
                fields[name] = [str(one) for one in values]
            case _, bool(value):
                fields[name] = str(value).lower()
            case _:
                fields[name] = str(value)
    return fields, headers


def _hot_word(word: str | HotWord) -> str | dict[str, str | float]:
    return word if isinstance(word, str) else {"phrase": word.phrase, "weight": word.weight}
