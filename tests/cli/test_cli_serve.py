"""``starling serve`` and ``starling doctor`` as processes of their own, without the model where it does not matter."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from patience import PATIENCE
from processes import free_ports
from recordings import recording_path
from starling.app import Running
from starling.cli.entry import run
from starling.cli.exits import ExitCode
from starling.cli.tables import print_checks, print_settings
from starling.config.doctor import Check, Status
from starling.config.loading import EffectiveSetting
from starling.config.settings import Settings
from starling.telemetry.health import Health
from starling.telemetry.metrics import Metrics

SERVE = [sys.executable, "-m", "starling", "serve", "--port", "0", "--log-level", "error"]
SCRIPTED = os.environ | {"STARLING_ENGINE__NAME": "scripted"}
"""An engine that loads at once."""


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, "2"), (signal.SIGTERM, "1"), (signal.SIGTERM, "0")])
def test_a_server_says_where_it_listens_and_ends_with_0(number: signal.Signals, workers: str, tmp_path: Path) -> None:
    serve = [*SERVE, "--workers", workers]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=SCRIPTED, cwd=tmp_path) as server:  # noqa: S603 - our own
        assert server.stdout is not None
        line = server.stdout.readline()
        found = re.fullmatch(r"Starling listens on (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends\)\n", line)
        assert found, line
        with urllib.request.urlopen(f"{found[1]}readyz", timeout=PATIENCE) as answer:  # noqa: S310 - http, our own
            assert answer.status == 200
        stream = [sys.executable, "-m", "starling", "stream", str(recording_path("beckett")), "--speed", "0", "--url", found[1]]
        streamed = subprocess.run(stream, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603 - our own
        assert streamed.returncode == 0, streamed.stderr
        assert streamed.stdout
        server.send_signal(number)
        assert server.wait(PATIENCE) == 0


def test_whoever_closes_the_standard_streams_gets_silence(tmp_path: Path) -> None:
    shell = ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-m", "starling", "version"]
    assert subprocess.run(shell, timeout=PATIENCE, cwd=tmp_path, check=False).returncode == 0  # noqa: S603 - our own


def test_a_server_serves_on_where_nobody_can_be_told_its_address(tmp_path: Path) -> None:
    [port] = free_ports(1)
    with Path("/dev/full").open("w") as full:
        serve = [*SERVE, "--workers", "1", "--port", str(port)]
        with subprocess.Popen(serve, stdout=full, stderr=full, env=SCRIPTED, cwd=tmp_path) as server:  # noqa: S603 - our own
            until(lambda: ready(port))
            time.sleep(0.5)
            assert ready(port)
            server.terminate()
            server.wait(PATIENCE)


def test_the_children_of_a_server_have_standard_streams_though_it_was_given_none(tmp_path: Path) -> None:
    [port] = free_ports(1)
    shell = ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *SERVE, "--workers", "1", "--port", str(port)]
    with subprocess.Popen(shell, env=SCRIPTED, cwd=tmp_path) as server:  # noqa: S603 - our own
        try:
            until(lambda: ready(port))
            for child in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split():
                streams = [os.readlink(f"/proc/{child}/fd/{number}") for number in (1, 2)]  # noqa: PTH115 - no real path
                assert streams == [os.devnull, os.devnull]
        finally:
            server.terminate()
            assert server.wait(PATIENCE) == 0


NEVER_READY = """
import sys, time
if any("recognizer_process" in argument for argument in sys.orig_argv):
    time.sleep(600)
"""
"""A ``sitecustomize`` module, which every interpreter runs first."""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_still_starts_heeds_its_signals(tmp_path: Path, workers: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(NEVER_READY)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    serve = [*SERVE[:-1], "info", "--log-format", "json", "--workers", workers]
    environment = SCRIPTED | {"PYTHONPATH": path}
    with subprocess.Popen(serve, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path) as server:  # noqa: S603 - our own
        assert server.stderr is not None
        started = [json.loads(server.stderr.readline()) for _ in range(1 + int(workers))]
        assert 0 not in (pids := [line["pid"] for line in started if "pid" in line])
        server.send_signal(signal.SIGHUP)
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_one_process_reloads_what_it_can_names_the_rest_and_goes_on(tmp_path: Path) -> None:
    settings = tmp_path / "starling.toml"
    settings.write_text('[log]\nlevel = "info"\n')
    serve = [*SERVE[:-2], "--log-format", "json", "--workers", "0"]
    environment = SCRIPTED | {"STARLING_JOBS__WORKERS": "0"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(serve, text=True, env=environment, cwd=tmp_path, **pipes) as server:  # type: ignore[call-overload]  # noqa: S603 - our own
        said = (json.loads(line) for line in server.stderr)
        assert server.stdout.readline().startswith("Starling listens")
        settings.write_text('[log]\nlevel = "info"\n[segmentation]\nmax_segment = -1\n')
        server.send_signal(signal.SIGHUP)
        assert "max_segment" in next(line for line in said if line["event"] == "settings not reloaded")["reason"]
        settings.write_text('[log]\nlevel = "info"\n[segmentation]\ntail = 0.5\n[scheduler]\ncapacity = 0.5\n')
        server.send_signal(signal.SIGHUP)
        assert next(line for line in said if "need a restart" in line["event"])["settings"] == ["scheduler.capacity"]
        assert next(said)["event"] == "settings reloaded"
        server.terminate()
        assert server.wait(PATIENCE) == 0
        assert [line["event"] for line in said][-1] == "stopped"


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_server_for_everybody_warns_and_names_an_address_to_open(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    @asynccontextmanager
    async def at_once(settings: Settings) -> AsyncIterator[Running]:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
        yield Running(f"http://{settings.server.host}:9/", "", Metrics(), Health())

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("starling.app.running", at_once)
    monkeypatch.setattr("starling.cli.announcing.outward", list)
    assert run(["serve", "--host", "0.0.0.0"]) == ExitCode.USAGE
    refused = capsys.readouterr().err
    assert "make one with `starling keys create NAME`, or say auth.mode = open" in refused
    monkeypatch.setenv("STARLING_AUTH__MODE", "open")
    assert run(["serve", "--host", "0.0.0.0", "--workers", "0"]) == ExitCode.OK
    said = capsys.readouterr()
    assert said.out == (
        "Starling listens on http://127.0.0.1:9/ (Ctrl-C ends)\nOthers reach it at any address of this machine, port 9\n"
    )
    assert said.err.startswith("starling: warning: no API keys are asked for: anyone who reaches 0.0.0.0 may use")
    assert said.err.count("\n") == 1


def test_a_server_says_that_it_asks_for_keys_and_where_each_protocol_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    @asynccontextmanager
    async def at_once(_: Settings) -> AsyncIterator[Running]:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
        yield Running("https://127.0.0.1:9/", "", Metrics(), Health(), {"vosk": 2700, "funasr": 41})

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STARLING_AUTH__KEYS_FILE", str(tmp_path / "keys.json"))
    monkeypatch.setattr("starling.app.running", at_once)
    assert run(["keys", "create", "desk"]) == ExitCode.OK
    capsys.readouterr()
    asked = ["--protocols", "vosk", "--protocols", "deepgram,funasr:0", "--protocols-host", "127.0.0.2"]
    assert run(["serve", *asked, "--workers", "0"]) == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        "Starling listens on https://127.0.0.1:9/ (Ctrl-C ends)",
        f"It asks for API keys, those in {tmp_path / 'keys.json'}: clients show theirs with STARLING_API_KEY",
        "vosk clients find it at port 2700 of 127.0.0.2",
        "deepgram clients find it at wss://127.0.0.1:9/v1/listen",
        "funasr clients find it at port 41 of 127.0.0.2",
    ]


def test_a_second_ctrl_c_does_not_wait_for_the_sessions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    @asynccontextmanager
    async def never_drained(_: Settings) -> AsyncIterator[Running]:
        loop = asyncio.get_running_loop()
        loop.call_soon(os.kill, os.getpid(), signal.SIGINT)
        yield Running("http://here/", "ws://here/", Metrics(), Health())
        loop.call_soon(os.kill, os.getpid(), signal.SIGINT)
        await loop.create_future()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("starling.app.running", never_drained)
    assert run(["serve", "--workers", "0"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr() == ("Starling listens on http://here/ (Ctrl-C ends)\n", "")


def test_a_lead_in_which_a_segment_might_not_end_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STARLING_AUDIO_LOG__MAX_LEAD_SECONDS", "30")
    monkeypatch.setenv("STARLING_SEGMENTATION__IDLE_CHECKPOINT", "20")
    assert run(["serve"]) == ExitCode.USAGE
    assert "max_lead_seconds must be at least 38.064" in capsys.readouterr().err


def test_a_port_that_is_taken_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        command = [*SERVE[:-4], "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, env=SCRIPTED, cwd=tmp_path, timeout=PATIENCE, check=False)  # noqa: S603 - our own
    assert done.returncode == 1
    assert done.stderr.startswith("starling: ")
    assert str(port) in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.model
def test_the_doctor_checks_recognition_and_shows_every_setting(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STARLING_SERVER__PORT", "0")
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    checks = {check["name"]: check for check in found["checks"]}
    assert checks["recognition"]["status"] == "ok"
    assert "word error rate" in checks["recognition"]["detail"]
    settings = {setting["path"]: setting for setting in found["settings"]}
    assert settings["server.port"]["value"] == "0"
    assert "STARLING_SERVER__PORT" in settings["server.port"]["source"]


def test_the_doctor_ends_with_its_verdict_and_shows_settings_when_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("starling.cli.selftest.check_recognition", lambda: Check("recognition", Status.FAIL, "deaf"))
    assert run(["doctor"]) == ExitCode.FAILURE
    brief = capsys.readouterr().out
    assert brief.splitlines()[-1].startswith("not ready: ")
    assert "server.port" not in brief
    assert run(["doctor", "--settings"]) == ExitCode.FAILURE
    whole = capsys.readouterr().out
    assert whole.index("server.port") < whole.index("recognition"), "the checks must not scroll away"


def test_a_pipe_gets_every_row_in_one_piece(capsys: pytest.CaptureFixture[str]) -> None:
    print_checks([Check("names", Status.OK, "word " * 60 + "end")])
    print_settings([EffectiveSetting("server.allowed_hosts", "host, " * 60 + "last", "default", "")])
    out = capsys.readouterr().out
    assert len([line for line in out.splitlines() if line.strip()]) == 4


def test_a_finding_comes_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    print_checks([Check("cpu", Status.OK, "2 cores"), Check("port", Status.FAIL, "[taken]", "choose another")])
    out = capsys.readouterr().out
    assert re.search(r"ok +cpu +2 cores", out)
    assert re.search(r"fail +port +\[taken\] *\n +choose another", out)
