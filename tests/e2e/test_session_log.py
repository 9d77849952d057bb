"""One session can be followed through the log, and its words are not in it."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from typing import Any

import pytest
import uvloop

from recordings import recording
from starling.app import running
from starling.client import connect
from starling.config.settings import Settings
from starling.protocols.native.messages import Result

pytestmark = pytest.mark.model

SETTINGS = Settings.model_validate({"server": {"port": 0}, "log": {"level": "debug", "format": "json"}, "jobs": {"workers": 0}})


def test_a_session_can_be_followed_and_its_words_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)

    async def main() -> tuple[str, str, list[Result]]:
        async with running(SETTINGS) as server, connect(server.stream_url) as session, asyncio.TaskGroup() as tasks:

            async def speak() -> None:
                await session.send(recording("beckett"))
                await session.end()

            tasks.create_task(speak())
            finals = [message async for message in session if isinstance(message, Result) and message.is_final]
            return session.ready.session_id, session.ready.trace_id, finals
        raise AssertionError("unreachable")

    session_id, trace_id, finals = uvloop.run(main())
    lines: list[dict[str, Any]] = [json.loads(line) for line in stderr.getvalue().splitlines()]
    mine = [line for line in lines if line.get("session_id") == session_id]
    assert {line["trace_id"] for line in mine} == {trace_id}
    assert {"session opened", "session ended"} <= {line["event"] for line in mine}
    recognised = [line for line in mine if line["event"] == "final"]
    assert [line["segment"] for line in recognised] == [final.segment_id for final in finals]
    assert all({"version", "worker_id", "model_version", "latency"} <= line.keys() for line in recognised)
    sent = [line for line in mine if line["event"] == "final sent"]
    assert [(line["sequence"], line["version"]) for line in sent] == [(final.sequence, final.version) for final in finals]
    for word in ("tried", "failed", "matter", "better"):
        assert word not in stderr.getvalue()
