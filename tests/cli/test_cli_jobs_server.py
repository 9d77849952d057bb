"""``starling jobs --server`` and ``starling transcribe --server``, against a gateway whose transcriber hears what it is told."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvloop

from auth.test_keys import add
from gateway.gateway_harness import until
from gateway.recordings.desk_harness import Desked, desked, wav
from patience import PATIENCE
from starling.cli.entry import run
from starling.cli.exits import ExitCode
from starling.core.jobs import Job, JobQuery, JobStatus
from starling.gateway.options import GatewayOptions
from starling.gateway.recordings.options import RecordingOptions, networks
from starling.gateway.recordings.signature import signature

LIMIT = 120.0
"""Seconds for what takes none of them on a machine with nothing else to do."""


@dataclass
class Far:
    """A server on a thread of its own, so that a command has this one."""

    it: Desked
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return f"http://{self.it.served.authority}"

    def do(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """What ``work`` answers there."""

        async def there() -> Any:
            return await work()

        return asyncio.run_coroutine_threadsafe(there(), self.loop).result(LIMIT)

    def jobs(self) -> list[Job]:
        """All that are kept there, the newest first."""

        async def look() -> list[Job]:
            return list((await self.it.store.history(JobQuery(tenant=None))).jobs)

        return list(self.do(look))

    def interrupt_at(self, count: int) -> None:
        """Press Ctrl-C here as soon as a command follows ``count`` jobs."""

        async def press() -> None:
            await until(lambda: self.it.desk.streams.taken == count)  # it follows them, so it knows of them
            os.kill(os.getpid(), signal.SIGINT)

        asyncio.run_coroutine_threadsafe(press(), self.loop)


@contextmanager
def far(root: Path, **settings: Any) -> Iterator[Far]:
    found: list[Far] = []
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with desked(root, **settings) as it:
            found.append(Far(it, asyncio.get_running_loop()))
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    try:
        assert ready.wait(LIMIT)
        yield found[0]
    finally:
        over.set()
        thread.join(LIMIT)


@pytest.fixture(autouse=True)
def _somewhere_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.wav").write_bytes(wav())


def test_the_life_of_a_job_at_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with far(tmp_path / "kept", idle=True) as server:
        at = ["--server", server.url]
        assert run(["jobs", "submit", "talk.wav", "--priority", "low", "--hotword", "Zagreb", *at]) == ExitCode.OK
        task_id = capsys.readouterr().out.strip()
        [job] = server.jobs()
        assert (job.job_id, job.priority.value) == (task_id, "low")
        assert [word.phrase for word in job.options.config.hotwords] == ["Zagreb"]
        assert run(["jobs", "result", task_id, *at]) == ExitCode.FAILURE
        assert "the job is queued, and has a text once it is done" in capsys.readouterr().err
        assert run(["jobs", "cancel", task_id, *at]) == ExitCode.OK
        assert run(["jobs", "cancel", task_id, *at]) == ExitCode.FAILURE
        assert f"job {task_id}: " in capsys.readouterr().err
        assert run(["jobs", "retry", task_id, *at]) == ExitCode.OK
        assert run(["jobs", "queue", "--json", *at]) == ExitCode.OK
        assert json.loads(capsys.readouterr().out)["queued"] == 1
        server.do(server.it.scribe.step)
        assert run(["jobs", "list", "--status", "done", "--json", *at]) == ExitCode.OK
        assert [one["task_id"] for one in json.loads(capsys.readouterr().out)] == [task_id]
        assert run(["jobs", "show", task_id, *at]) == ExitCode.OK
        assert "talk.wav" in capsys.readouterr().out
        assert run(["jobs", "show", "--text", task_id, *at]) == ExitCode.OK
        assert capsys.readouterr().out == "Hello there.\nSecond thing.\n"
        assert run(["jobs", "result", task_id, "-f", "srt", "-o", "texts", *at]) == ExitCode.OK
        assert (tmp_path / "texts" / "talk.srt").read_text().startswith("1\n00:00:00,000")
        assert run(["jobs", "delete", task_id, *at]) == ExitCode.OK
        assert server.jobs() == []
        assert run(["jobs", "show", task_id, *at]) == ExitCode.FAILURE
        assert run(["jobs", "show", "../../me", *at]) == ExitCode.FAILURE
        assert "starling jobs list" in capsys.readouterr().err
        assert run(["jobs", "list", "--config", "x.toml", *at]) == ExitCode.USAGE


def test_what_is_refused_is_said_in_a_line_and_the_rest_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "long.wav").write_bytes(wav(60.0))
    (tmp_path / "words.txt").write_text("no recording")
    options = RecordingOptions(max_bytes=len(wav()))
    with far(tmp_path / "kept", options=options) as server:
        for command in (["jobs", "submit"], ["transcribe"]):
            files = ["long.wav", "words.txt", "absent.wav", "talk.wav"]
            assert run([*command, *files, "--server", server.url]) == ExitCode.FAILURE
            shown = capsys.readouterr()
            assert len([line for line in shown.out.splitlines() if line and not line.startswith("==>")]) in {1, 2}
            assert f"starling: long.wav: the body must have at most {len(wav())} bytes" in shown.err
            assert "starling: words.txt: expected a recording" in shown.err
            assert "starling: absent.wav: No such file" in shown.err
            assert "Traceback" not in shown.err


@contextmanager
def told() -> Iterator[tuple[str, queue.Queue[tuple[str, bytes]]]]:
    """A URL to tell, and what it hears: signatures and bodies."""
    heard: queue.Queue[tuple[str, bytes]] = queue.Queue()

    class Hears(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # as http.server wants it called
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()
            heard.put((self.headers["Starling-Signature"], body))

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hears) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{receiver.server_port}/told", heard
        finally:
            receiver.shutdown()
            thread.join(LIMIT)


@pytest.mark.parametrize("command", [["jobs", "submit"], ["transcribe"]])
def test_a_url_is_told_when_a_job_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    options = RecordingOptions(allow_urls=True, allowed_networks=networks(("127.0.0.0/8",)))
    with far(tmp_path / "kept", options=options) as server, told() as (url, heard):
        given = [*command, "talk.wav", "--server", server.url, "--callback", url]
        assert run([*given, "--callback-secret", "sixteen letters!"]) == ExitCode.OK
        monkeypatch.setenv("STARLING_CLIENT__CALLBACK_SECRET", "another sixteen!")
        assert run(given) == ExitCode.OK
        by = set()
        for _ in range(2):  # in any order
            signed, body = heard.get(timeout=PATIENCE)
            said = json.loads(body)
            assert (said["event"], said["status"], said["name"]) == ("job.over", "done", "talk.wav")
            moment = int(signed.removeprefix("t=").partition(",")[0])
            by |= {secret for secret in ("sixteen letters!", "another sixteen!") if signed == signature(secret, body, moment)}
        assert len(by) == 2


def test_who_is_to_be_told_is_said_in_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["transcribe", "talk.wav", "--callback", "https://hooks.example/"]) == ExitCode.USAGE
    assert "name it with --server" in capsys.readouterr().err
    with far(tmp_path / "kept", idle=True) as server:
        at = ["--server", server.url]
        assert run(["jobs", "submit", "talk.wav", "--callback-secret", "sixteen letters!", *at]) == ExitCode.USAGE
        assert "name it with --callback" in capsys.readouterr().err
        assert run(["jobs", "submit", "talk.wav", "--callback", "https://hooks.example/", *at]) == ExitCode.FAILURE
        assert "allow_urls" in capsys.readouterr().err
        assert server.jobs() == []


def test_what_comes_through_a_pipe_is_handed_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    with far(tmp_path / "kept") as server:
        writing = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(wav()))
        writing.start()
        assert run(["transcribe", "pipe", "--server", server.url]) == ExitCode.OK
        writing.join(LIMIT)
        assert capsys.readouterr().out == "Hello there.\nSecond thing.\n"


def test_keys_are_shown_and_wrong_ones_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys.json"
    key, _ = add(keys)
    with far(tmp_path / "kept", gateway=GatewayOptions(port=0, keys_file=keys)) as server:
        for command in (["jobs", "submit", "talk.wav"], ["jobs", "list"], ["transcribe", "talk.wav"]):
            for wrong in ([], ["--api-key", "wrong"]):
                assert run([*command, "--server", server.url, *wrong]) == ExitCode.FAILURE
                said = capsys.readouterr().err
                assert "key" in said
                assert "Traceback" not in said
            assert run([*command, "--server", server.url, "--api-key", key]) == ExitCode.OK
        monkeypatch.setenv("STARLING_API_KEY", key)
        assert run(["jobs", "list", "--server", server.url]) == ExitCode.OK


def test_a_server_that_is_away_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["jobs", "submit", "talk.wav"], ["jobs", "list"], ["jobs", "queue"], ["transcribe", "talk.wav"]):
        assert run([*command, "--server", "http://127.0.0.1:1"]) == ExitCode.FAILURE
        said = capsys.readouterr().err
        assert "cannot reach http://127.0.0.1:1" in said
        assert "Traceback" not in said


def test_ctrl_c_cancels_what_is_at_the_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.wav").write_bytes(wav(2.0))
    with far(tmp_path / "kept", idle=True) as server:
        server.interrupt_at(2)
        assert run(["transcribe", "talk.wav", "other.wav", "--server", server.url]) == ExitCode.INTERRUPTED
        assert "cancelled 2 recordings at the server" in capsys.readouterr().err
        assert {job.status for job in server.jobs()} == {JobStatus.CANCELLED}


def test_a_job_whose_answer_is_on_its_way_is_cancelled_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with far(tmp_path / "kept", idle=True) as server:
        submit = server.it.desk.intake.submit

        async def interrupted(*arguments: Any, **options: Any) -> Job:
            os.kill(os.getpid(), signal.SIGINT)
            return await submit(*arguments, **options)

        monkeypatch.setattr(server.it.desk.intake, "submit", interrupted)
        assert run(["transcribe", "talk.wav", "--server", server.url]) == ExitCode.INTERRUPTED
        assert "cancelled 1 recording at the server" in capsys.readouterr().err
        assert [job.status for job in server.jobs()] == [JobStatus.CANCELLED]


def test_what_is_kept_at_the_server_is_found_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with far(tmp_path / "kept", idle=True) as server:
        command = ["transcribe", "talk.wav", "--keep", "--server", server.url]
        server.interrupt_at(1)
        assert run(command) == ExitCode.INTERRUPTED
        [job] = server.jobs()
        assert job.status is JobStatus.QUEUED
        assert job.job_id in capsys.readouterr().err
        server.do(server.it.scribe.step)
        assert run(command) == ExitCode.OK
        assert capsys.readouterr().out == "Hello there.\nSecond thing.\n"
        assert len(server.jobs()) == 1


def test_a_server_that_is_busy_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.wav").write_bytes(wav(2.0))
    with far(tmp_path / "kept", idle=True, max_queued=1) as server:
        assert run(["jobs", "submit", "talk.wav", "--server", server.url]) == ExitCode.OK

        async def make_room() -> None:
            await until(lambda: "waits to be handed in" in said())
            await server.it.scribe.step()

        heard: list[str] = []

        def said() -> str:
            heard.append(capsys.readouterr().err)
            return "".join(heard)

        asyncio.run_coroutine_threadsafe(make_room(), server.loop)
        assert run(["jobs", "submit", "other.wav", "--server", server.url]) == ExitCode.OK
        assert len(server.jobs()) == 2
