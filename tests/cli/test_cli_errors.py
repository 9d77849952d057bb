"""Every error is one clear line on stderr and an exit code; a traceback only when asked for."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from recordings import recording_path
from starling.cli import entry
from starling.cli.entry import run
from starling.cli.report import broken
from starling.core.errors import StarlingError
from starling.telemetry.health import Health, State

WAV = str(recording_path("beckett"))


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def failing(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code and the one line."""
    code = run(arguments)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("starling: ")
    assert said.err.count("\n") == 1, said.err
    return code, said.err.removeprefix("starling: ").rstrip()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["strem"], "No such command 'strem'. Did you mean 'stream'? See `starling --help`."),
        (["stream"], "Missing argument 'FILE'. See `starling stream --help`."),
        (["stream", WAV, "--sped", "2"], "No such option: --sped (Possible options: --speed). See `starling stream --help`."),
        (["stream", WAV, "--vad", "ears"], "Invalid value for '--vad'"),
        (["stream", WAV, "--url", "ftp://host"], "expected a server address such as ws://127.0.0.1:8000 or host:8000"),
        (
            ["stream", WAV, "--endpoint-silence", "60"],
            "Invalid value for '--endpoint-silence': expected 0.1 to 10 seconds, got 60.",
        ),
        (["stream", WAV, "--speed", "-1"], "Invalid value for '--speed': expected at least 0, got -1."),
        (["stream", WAV, "--speed", "fast"], "Invalid value for '--speed': Input should be a valid number"),
        (["serve", "--port", "99999"], "Invalid value for '--port': expected 0 to 65535, got 99999."),
        (["serve", "--config", "/nowhere/starling.toml"], "expected a settings file at /nowhere/starling.toml"),
        (["transcribe", WAV, WAV, "--format", "srt"], "expected --output-dir for 2 recordings"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = failing(arguments, capsys)
    assert code == 2
    assert said.startswith(line)


def test_a_file_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(["stream", "/nowhere/talk.wav"], capsys) == (1, "/nowhere/talk.wav: No such file or directory")


def test_a_name_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(["stream", "/nowhere/\x1b]0;title\x07.wav"], capsys) == (
        1,
        "/nowhere/ ]0;title .wav: No such file or directory",
    )


def test_a_file_that_is_no_recording_is_said_to_be_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "talk.wav"
    file.write_text("not audio at all")
    code, said = failing(["stream", str(file)], capsys)
    assert code == 1
    assert said.startswith(f"{file}: expected a recording")


def test_a_server_that_does_not_run_is_named(closed_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = failing(["stream", WAV, "--url", f"127.0.0.1:{closed_port}"], capsys)
    assert code == 1
    assert said.startswith(f"nobody answers at ws://127.0.0.1:{closed_port}/v1/stream")
    assert said.endswith("is the server running? `starling serve` starts one")


def test_an_unexpected_error_asks_for_a_report_and_debug_shows_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(entry, "app", broken)
    code, said = failing(["version"], capsys)
    assert code == 1
    assert re.match(
        r"unexpected ZeroDivisionError: by nought \(at tests/cli/test_cli_errors\.py:\d+, called at "
        r"starling/cli/entry\.py:\d+\)\. This is a bug in Starling",
        said,
    )
    with pytest.raises(ZeroDivisionError):
        run(["--debug", "version"])
    assert run(["version", "--debug"]) == 1, "behind the command it is an option of the command"


def test_each_error_of_a_group_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nobody would learn what failed in a process that nobody can start again in the same way."""

    def broken(*_: object, **__: object) -> None:
        health = Health("engine")
        health.set("engine", State.FAILED)
        failed: list[Exception] = [ValueError("words that somebody spoke"), *map(RuntimeError, range(20))]
        try:
            health.set("engine", State.OK)
        except StarlingError as error:
            failed.insert(0, error)
        raise ExceptionGroup("of tasks", [*failed[:2], ExceptionGroup("of others", failed[2:])])

    monkeypatch.setattr(entry, "app", broken)
    code, said = failing(["version"], capsys)
    assert code == 1
    assert re.search(
        r"unexpected ExceptionGroup: of tasks \(3 sub-exceptions\) \["
        r"IllegalTransition: component 'engine' is failed and cannot become ok \(at starling/telemetry/health\.py:\d+\); "
        r"ValueError: \(message withheld: it may quote its input\); "
        r"ExceptionGroup: of others \(20 sub-exceptions\) \[RuntimeError: 0; .*RuntimeError: 7; \.\.\.\]\]\. This is a bug",
        said,
    )


def test_ctrl_c_anywhere_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "app", interrupted)
    assert run(["version"]) == 130


def test_a_missing_microphone_says_what_to_install(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr("starling.client.microphone.importlib.import_module", missing)
    code, said = failing(["mic", "--list-devices"], capsys)
    assert code == 1
    assert "libportaudio2" in said


def test_on_a_terminal_a_line_breaks_between_words() -> None:
    line = "latency (median): first words 0.31 s after speech starts, finals 0.70 s after speech ends"
    rows = broken(line, 40).split("\n")
    assert all(len(row) < 40 for row in rows)
    assert " ".join(row.strip() for row in rows) == line
    assert broken(line, 0) == broken(line, 200) == line
