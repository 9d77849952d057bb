"""``starling sessions``."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from auth.test_keys import add
from gateway.certificates import make_certificate
from gateway.gateway_harness import END, START, Served, hear, served, until
from gateway.gateway_harness import run as play
from starling.cli import overseeing
from starling.cli.entry import run
from starling.cli.exits import ExitCode
from starling.cli.overseeing import rows
from starling.client.errors import Unreachable
from starling.client.oversight import Overseer, SessionSeen, SessionsSeen
from starling.gateway.options import GatewayOptions

SEEN = SessionSeen(
    session_id="0123456789abcdef",
    tenant="",
    priority="normal",
    connected="2026-01-01T00:00:00+00:00",
    state="live",
    worker=None,
    language="en",
    audio_seconds=59.6,
    lag_seconds=2.25,
    backlog=3,
)


@pytest.fixture(autouse=True)
def _somewhere_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


async def starling(it: Served, *arguments: str, scheme: str = "http") -> int:
    return await asyncio.to_thread(run, ["sessions", *arguments, "--url", f"{scheme}://{it.authority}"])


def test_sessions_are_listed_and_ended(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    token, _ = add(keys)
    operator, _ = add(keys, tenant="staff", operator=True)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, keys_file=keys)) as it:
            assert await starling(it, "list") == ExitCode.FAILURE
            assert "set STARLING_API_KEY" in capsys.readouterr().err
            assert await starling(it, "list", "--api-key", token, "--json") == ExitCode.OK
            assert capsys.readouterr().out == "[]\n"
            monkeypatch.setenv("STARLING_API_KEY", operator)
            assert await starling(it, "list", "--json") == ExitCode.OK
            assert capsys.readouterr().out == "[]\n"
            async with it.connect(additional_headers={"Authorization": f"Bearer {token}"}) as client:
                await client.send(START)
                (ready,) = await hear(client, until="ready")
                assert await starling(it, "list") == ExitCode.OK
                headers, row = capsys.readouterr().out.splitlines()
                assert headers.split() == list(overseeing.HEADERS)
                assert row.split()[:6] == [ready["session_id"], "acme", "normal", "live", "worker-0", "en"]
                assert await starling(it, "list", "--json") == ExitCode.OK
                assert json.loads(capsys.readouterr().out)[0]["state"] == "live"
                assert await starling(it, "end", ready["session_id"]) == ExitCode.OK
                assert [one["code"] for one in await hear(client) if one["type"] == "error"] == ["dismissed"]
            await until(lambda: not it.gateway.active)
            assert await starling(it, "end", ready["session_id"]) == ExitCode.FAILURE
            assert "no session of this id is connected here" in capsys.readouterr().err

    play(scenario)


def test_a_server_that_is_none_or_speaks_otherwise_is_told_apart(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, tls_cert=cert, tls_key=key)) as it:
            assert await starling(it, "list", "--ca", str(cert), scheme="wss") == ExitCode.OK
            assert await starling(it, "list", scheme="https") == ExitCode.FAILURE
            assert "name its authority with --ca" in capsys.readouterr().err
            assert await starling(it, "list") == ExitCode.FAILURE
            assert "if it serves TLS, use https://" in capsys.readouterr().err
        async with served() as plain:
            assert await starling(plain, "list", scheme="https") == ExitCode.FAILURE
            assert "if it serves none, use http://" in capsys.readouterr().err
        assert await starling(plain, "list") == ExitCode.FAILURE
        assert "is the server running?" in capsys.readouterr().err
        assert await asyncio.to_thread(run, ["sessions", "list", "--url", "ftp://x"]) == ExitCode.USAGE

    play(scenario)


def test_a_session_still_open_ends_with_its_own_end() -> None:
    async def scenario() -> None:
        async with served(held=True) as it, it.connect() as client:
            await client.send(START)
            await hear(client, until="ready")
            await client.send(bytes(32_000))
            overseer = Overseer(f"ws://{it.authority}/v1/stream")
            await until(lambda: it.log.lag() > 0)
            (seen,) = (await asyncio.to_thread(overseer.sessions)).sessions
            assert (seen.state, seen.lag_seconds > 0.5) == ("live", True)
            await client.send(END)
            await until(lambda: it.gateway.seats[0].session.stage == "ending")
            (seen,) = (await asyncio.to_thread(overseer.sessions)).sessions
            assert seen.state == "ending"
            it.recognizer.listening.set()
            await hear(client)

    play(scenario)


def test_times_are_for_people() -> None:
    (row,) = rows([SEEN], datetime(2026, 1, 1, 1, 2, 3, tzinfo=UTC))
    assert row[1:] == ("-", "normal", "live", "-", "en", "1:02:03", "1:00", "2.2 s", "3")


def test_gateways_are_told_apart_where_there_are_several(capsys: pytest.CaptureFixture[str]) -> None:
    other = msgspec.structs.replace(SEEN, gateway="b")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert overseeing.headers([SEEN, SEEN]) == overseeing.HEADERS
    assert overseeing.headers([SEEN, other])[-1] == "gateway"
    assert [row[-1] for row in rows([SEEN, other], now)] == ["-", "b"]
    overseeing.show(SessionsSeen(sessions=[other], silent=["c"]), as_json=True)
    said = capsys.readouterr()
    assert json.loads(said.out)[0]["gateway"] == "b"
    assert "no answer of c" in said.err


def test_a_watched_server_may_be_away_for_a_while(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    class Flaky(Overseer):
        def sessions(self) -> SessionsSeen:
            nonlocal looks
            looks += 1
            if looks == 2:
                raise Unreachable("nobody answers")
            if looks == 3:
                os.kill(os.getpid(), signal.SIGINT)
            return SessionsSeen(sessions=[SEEN] * looks)

    monkeypatch.setattr(overseeing, "LOOK_EVERY", 0)
    overseeing.watch_sessions(Flaky("127.0.0.1:1"), as_json=True)
    said = capsys.readouterr()
    assert [len(json.loads(line)) for line in said.out.splitlines()][:2] == [1, 3]
    assert said.err == "starling: nobody answers\n"
