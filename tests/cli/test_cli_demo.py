"""``starling demo``: its verdict, its port, and once the whole of it with the real model."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from patience import PATIENCE
from recordings import recording_path
from starling.app import Running
from starling.cli import demonstration
from starling.cli.demonstration import demonstrate
from starling.cli.live import Heard
from starling.client.sample import REFERENCE
from starling.config.settings import Settings
from starling.core.errors import StarlingError
from starling.telemetry.health import Health
from starling.telemetry.metrics import Metrics


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The server is pretended; the ports it was asked to take."""
    asked: list[int] = []

    @asynccontextmanager
    async def pretended(settings: Settings) -> AsyncIterator[Running]:
        asked.append(settings.server.port)
        yield Running("http://there/", "ws://there/v1/stream", Metrics(), Health("engine"))

    monkeypatch.setattr(demonstration, "running", pretended)
    return asked


def hear(monkeypatch: pytest.MonkeyPatch, *finals: str, interrupted: bool = False) -> None:
    """The recording is pretended to have been heard so."""

    async def heard(*_: Any) -> Heard:
        return Heard(finals=list(finals), interrupted=interrupted, latency="latency: none")

    monkeypatch.setattr(demonstration, "caption", heard)


@pytest.mark.usefixtures("ports")
@pytest.mark.parametrize(
    ("text", "interrupted", "code"),
    [(REFERENCE, False, 0), ("It was the best of times.", False, 1), ("It was the best of times.", True, 130)],
)
def test_once_succeeds_only_with_the_right_text(
    text: str, code: int, monkeypatch: pytest.MonkeyPatch, *, interrupted: bool
) -> None:
    hear(monkeypatch, text, interrupted=interrupted)
    assert asyncio.run(demonstrate(once=True, file=None, port=0)) == code


@pytest.mark.usefixtures("ports")
def test_the_text_of_another_recording_is_not_judged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    hear(monkeypatch, "Something else.")
    assert asyncio.run(demonstrate(once=True, file=recording_path("beckett"), port=0)) == 0
    assert "word error rate" not in capsys.readouterr().out


def test_once_takes_another_port_where_its_own_is_taken(
    ports: list[int], taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STARLING_SERVER__PORT", str(taken_port))
    hear(monkeypatch, REFERENCE)
    assert asyncio.run(demonstrate(once=True, file=None, port=None)) == 0
    assert ports == [0]


@pytest.mark.parametrize("once", [True, False])
def test_a_port_that_was_asked_for_and_is_taken_is_an_error(ports: list[int], taken_port: int, *, once: bool) -> None:
    with pytest.raises(StarlingError, match=f"127.0.0.1:{taken_port}.* --port 0"):
        asyncio.run(demonstrate(once=once, file=None, port=taken_port))
    assert ports == []


@pytest.mark.model
def test_a_demo_from_start_to_end() -> None:
    """With the shortest recording: the 44 s of the sample are real time."""
    command = [sys.executable, "-m", "starling", "demo", "--once", "--port", "0", "--file", str(recording_path("success"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stderr
    assert re.match(r"Starling listens on http://127\.0\.0\.1:\d+/\nCaptioning success\.wav \(1 s\)", done.stdout)
    assert "latency (median)" in done.stdout
    assert done.stderr == ""
