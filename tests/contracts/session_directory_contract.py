"""What every SessionDirectory promises. A test module inherits SessionDirectoryContract and says how to make its directory."""

from __future__ import annotations

from dataclasses import replace

from starling.core.audio import AudioFormat, Encoding
from starling.core.config import SessionConfig, VadMode
from starling.core.load import Priority
from starling.core.ports import SessionDirectory
from starling.core.sessions import Attachment, SessionEntry


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
    )


class SessionDirectoryContract:
    def make(self) -> SessionDirectory:
        raise NotImplementedError

    def test_what_is_put_is_found(self) -> None:
        directory = self.make()
        assert (directory.get("s"), list(directory.entries())) == (None, [])
        directory.put(entry("a"))
        directory.put(entry("b"))
        assert directory.get("a") == entry("a")
        assert sorted(directory.entries(), key=lambda found: found.session_id) == [entry("a"), entry("b")]

    def test_an_entry_replaces_the_one_before(self) -> None:
        directory = self.make()
        directory.put(entry())
        newer = replace(
            entry(), config=SessionConfig(endpoint_silence=1.5), state=Attachment.DETACHED, client_ref=None, token_digest=b""
        )
        directory.put(newer)
        assert list(directory.entries()) == [newer]

    def test_what_is_removed_is_gone(self) -> None:
        directory = self.make()
        directory.put(entry("a"))
        directory.put(entry("b"))
        directory.remove("a")
        directory.remove("a")
        directory.remove("nobody")
        assert (directory.get("a"), list(directory.entries())) == (None, [entry("b")])
