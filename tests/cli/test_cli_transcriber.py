"""``starling transcriber`` where it cannot work: it says so and ends, for whoever starts it to start it again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from redis_server import RedisServer
from starling.cli.entry import run
from starling.cli.exits import ExitCode

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="transcribers run on Linux")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARLING_ENGINE__NAME", "scripted")
    monkeypatch.setenv("STARLING_JOBS__RECORDINGS", str(tmp_path / "recordings"))
    monkeypatch.setenv("STARLING_JOBS__LOG", "off")


def test_it_ends_where_nobody_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = f"unix://{tmp_path / 'nobody'}"
    monkeypatch.setenv("STARLING_JOBS__STORE", store)
    assert run(["transcriber"]) == ExitCode.FAILURE
    said = capsys.readouterr().err
    assert f"({store}): is it running, and jobs.store right?" in said
    assert "transcribing" not in said


def test_it_ends_where_it_is_not_let_in(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with RedisServer() as redis:
        redis.command("CONFIG SET requirepass right")
        monkeypatch.setenv("STARLING_JOBS__STORE", redis.url.replace("unix://", "unix://:wrong@"))
        assert run(["transcriber"]) == ExitCode.FAILURE
    said = capsys.readouterr().err
    assert "refuses these credentials" in said
    assert "wrong" not in said
