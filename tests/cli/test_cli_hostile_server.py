"""``starling jobs --server`` and ``starling transcribe --server`` against a server that means harm to whoever asks it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from starling.cli.entry import run
from starling.cli.exits import ExitCode
from starling.client import jobs
from starling.client.errors import LONGEST_WAIT, overloaded

STEERING = "\x1b]0;mine\x07\x1b[2J\x9b31m\x7f"
"""Names a terminal, clears it and paints it red."""

ID = "a" * 32


def task(**fields: Any) -> dict[str, Any]:
    segment = {
        "id": 0, "channel": 0, "start": 0.0, "end": 1.0, "text": f"Hello{STEERING} there.", "confidence": None,
        "words": [{"word": f"Hello{STEERING}", "start": 0.0, "end": 1.0, "confidence": None}],
    }  # fmt: skip
    return {
        "task_id": ID, "status": "done", "progress": 1.0, "position": None, "tenant": f"t{STEERING}", "priority": "normal",
        "created": f"yesterday{STEERING}", "started": "9999-12-31T23:59:59-23:00", "finished": None, "attempts": 1,
        "name": f"../../talk{STEERING}.wav", "size": 1, "media_type": f"audio/{STEERING}", "codec": STEERING, "duration": 1.0,
        "channels": "mixed", "language": f"en{STEERING}", "kept": True, "error": None,
        "warnings": [{"code": STEERING, "message": STEERING, "at": None}],
        "result": {"text": "", "language": f"en{STEERING}", "duration": 1.0, "segments": [segment], "files": {}},
    } | fields  # fmt: skip


QUEUE = {
    "queued": 0, "running": 0, "done": 1, "failed": 0, "cancelled": 0, "oldest": STEERING, "waiting_audio": 0.0, "workers": 1,
}  # fmt: skip


@contextmanager
def hostile(answers: dict[str, bytes], status: int = 200, **headers: str) -> Iterator[str]:
    """Answers with what stands for the last two parts of the path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = answers.get("/".join(self.path.partition("?")[0].split("/")[-2:]), b"")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - as there

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "command",
    [
        ["list"], ["list", "--json"], ["queue"], ["queue", "--json"], ["show", ID], ["show", ID, "--json"],
        ["show", ID, "--text"], ["show", ID, "--text", "--json"], ["result", ID], ["result", ID, "-f", "json"],
        ["result", ID, "-f", "srt"],
    ],
)  # fmt: skip
def test_nothing_that_a_server_says_steers_the_terminal(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    answers = {
        f"result/{ID}": encoded(task()),
        "asr/history": encoded({"tasks": [task()], "cursor": ""}),
        "queue/status": encoded(QUEUE),
    }
    with hostile(answers) as url:
        run(["jobs", *command, "--server", url])
    out, err = capsys.readouterr()
    assert out
    assert "bug" not in err
    assert all(letter.isprintable() or letter == "\n" for letter in out + err)


def test_transcripts_lie_where_they_were_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    other = "b" * 32
    with hostile({f"result/{ID}": encoded(task()), f"result/{other}": encoded(task(task_id="../../../out"))}) as url:
        assert run(["jobs", "result", ID, other, "-o", "a/b/c", "--server", url]) == ExitCode.FAILURE
        assert run(["jobs", "result", ID, "-o", "a/b/c", "--server", url]) == ExitCode.FAILURE  # it has a warning
    assert {file.relative_to(tmp_path).parent for file in tmp_path.rglob("*") if file.is_file()} <= {Path("a/b/c")}


@pytest.mark.parametrize(
    "fields",
    [
        {"task_id": "../x"}, {"task_id": STEERING}, {"task_id": ID + "\n"}, {"duration": -1.0}, {"duration": 1e300},
        {"result": {"text": "", "language": "", "duration": 0, "files": {}, "segments": [
            {"id": 0, "channel": 0, "start": 1e308, "end": 1e308, "text": "x", "confidence": None, "words": []}]}},
        {"result": {"text": "", "language": "", "duration": 0, "files": {}, "segments": "[" * 10}},
    ],
)  # fmt: skip
def test_what_no_server_of_ours_says_is_no_answer(fields: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    with hostile({f"result/{ID}": encoded(task(**fields))}) as url:
        assert run(["jobs", "result", ID, "-f", "srt", "--server", url]) == ExitCode.FAILURE
    assert "expected a Starling server of this version" in capsys.readouterr().err


def test_an_answer_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(jobs, "LARGEST", 1000)
    monkeypatch.setattr(jobs, "LARGEST_REFUSAL", 1000)
    for status in (200, 500):
        with hostile({f"result/{ID}": encoded(task(tenant="t" * 2000))}, status) as url:
            assert run(["jobs", "show", ID, "--server", url]) == ExitCode.FAILURE
        assert "expected an answer of at most 1000 bytes" in capsys.readouterr().err


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff", b'{"tasks": ' + b"[" * 100_000])
def test_nonsense_is_no_bug(body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    for status in (200, 500, 503):
        with hostile({"asr/history": body, "queue/status": body}, status) as url:
            assert run(["jobs", "list", "--server", url]) == ExitCode.FAILURE
        with hostile({"asr/history": body, "queue/status": body}, status, Content_Encoding="gzip") as url:
            assert run(["jobs", "list", "--server", url]) == ExitCode.FAILURE
        assert "bug" not in capsys.readouterr().err


@pytest.mark.parametrize("command", [["sessions", "list", "--url"], ["jobs", "list", "--server"]])
def test_the_key_goes_to_the_server_that_was_named_only(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with hostile({"v1/sessions": encoded({"sessions": []})}) as other, hostile({}, 302, Location=f"{other}/v1/sessions") as url:
        assert run([*command, url, "--api-key", "secret"]) == ExitCode.FAILURE
    assert "answered HTTP 302" in capsys.readouterr().err


@pytest.mark.parametrize("said", [b"\xff\xfe\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"HTTP/1.1 x\r\n\r\n"])
@pytest.mark.parametrize("command", [["sessions", "list", "--url"], ["jobs", "list", "--server"]])
def test_what_is_no_http_is_no_bug(said: bytes, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        assert run([*command, f"http://127.0.0.1:{listener.getsockname()[1]}"]) == ExitCode.FAILURE
        thread.join()
    assert "bug" not in capsys.readouterr().err


def test_pages_without_end_end(capsys: pytest.CaptureFixture[str]) -> None:
    answers = {"asr/history": encoded({"tasks": [], "cursor": "on"}), "queue/status": encoded(QUEUE)}
    with hostile(answers) as url:
        assert run(["jobs", "list", "--json", "--server", url]) == ExitCode.OK
    assert capsys.readouterr().out == "[]\n"


@pytest.mark.parametrize(
    "events", [b"id: x\n\n", b"id: " + b"9" * 5000 + b"\n\n", b"event: segment\ndata: []\n\n", b"data: " + b"x" * 200]
)
def test_events_that_are_none_end_the_command(
    events: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(jobs, "LARGEST_EVENT", 100)
    (tmp_path / "talk.wav").write_bytes(b"RIFF")
    answers = {
        "asr/submit": encoded({"task_id": ID, "status": "queued", "position": 0}),
        f"result/{ID}": encoded(task()),
        f"events/{ID}": events,
    }
    with hostile(answers) as url:
        assert run(["transcribe", str(tmp_path / "talk.wav"), "--server", url]) == ExitCode.FAILURE
    err = capsys.readouterr().err
    assert "talk.wav: expected" in err
    assert "bug" not in err


def test_a_server_is_asked_again_however_long_it_wants_to_be_left_alone() -> None:
    assert overloaded("full", float("9" * 400)).retry_after == LONGEST_WAIT
