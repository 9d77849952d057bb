"""What every SessionDirectory promises. A test module inherits SessionDirectoryContract and says how to make its directory."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from starling.core.audio import AudioFormat, Encoding
from starling.core.config import SessionConfig, VadMode
from starling.core.load import Priority
from starling.core.ports import SessionDirectory
from starling.core.sessions import Attachment, SessionEntry
from starling.core.tracing import SpanContext
from virtual_time import run


def entry(session_id: str = "s") -> SessionEntry:
    return SessionEntry(
        session_id=session_id,
        trace_id=f"trace of {session_id}",
        token_digest=bytes(range(32)),
        audio=AudioFormat(Encoding.MULAW, 8000, 2),
        config=SessionConfig(language="en", target_language="de", partial_interval=0.7, words=True, vad=VadMode.SILERO),
        opened=1_790_000_000.25,
        tenant="tenant",
        priority=Priority.HIGH,
        client_ref="call 7 \u00e9",
        span=SpanContext(trace_id="ab" * 16, span_id="cd" * 8, parent_id="ef" * 8, state="vendor=a"),
    )


class SessionDirectoryContract:
    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Run ``scenario`` where time costs nothing."""
        run(scenario)

    def make(self) -> SessionDirectory:
        raise NotImplementedError

    def test_what_is_put_is_found(self) -> None:
        async def scenario() -> None:
            directory = self.make()
            assert (await directory.get("s"), list(await directory.entries())) == (None, [])
            await directory.put(entry("a"))
            await directory.put(entry("b"))
            assert await directory.get("a") == entry("a")
            found = sorted(await directory.entries(), key=lambda found: found.session_id)
            assert found == [entry("a"), entry("b")]

        self.run(scenario())

    def test_an_entry_replaces_the_one_before(self) -> None:
        async def scenario() -> None:
            directory = self.make()
            await directory.put(entry())
            newer = replace(
                entry(), config=SessionConfig(endpoint_silence=1.5), state=Attachment.DETACHED, client_ref=None, token_digest=b""
            )
            await directory.put(newer)
            assert list(await directory.entries()) == [newer]

        self.run(scenario())

    def test_a_session_is_found_by_its_token(self) -> None:
        async def scenario() -> None:
            directory = self.make()
            await directory.put(replace(entry("a"), token_digest=b"a" * 32))
            await directory.put(replace(entry("b"), token_digest=b""))
            assert await directory.find(b"a" * 32) == replace(entry("a"), token_digest=b"a" * 32)
            assert await directory.find(b"b" * 32) is None
            assert await directory.find(b"") is None
            await directory.remove("a")
            assert await directory.find(b"a" * 32) is None

        self.run(scenario())

    def test_who_put_or_claimed_a_session_holds_it(self) -> None:
        async def scenario() -> None:
            directory = self.make()
            assert not await directory.holds("a")
            await directory.put(entry("a"))
            assert await directory.holds("a")
            await directory.claim("a")
            assert await directory.holds("a")
            await directory.remove("a")
            assert not await directory.holds("a")

        self.run(scenario())

    def test_what_is_removed_is_gone(self) -> None:
        async def scenario() -> None:
            directory = self.make()
            await directory.put(entry("a"))
            await directory.put(entry("b"))
            await directory.remove("a")
            await directory.remove("a")
            await directory.remove("nobody")
            assert (await directory.get("a"), list(await directory.entries())) == (None, [entry("b")])

        self.run(scenario())
