"""Help pages, their document, and that asking for them loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from starling import __version__
from starling.cli import flags
from starling.cli.entry import run
from starling.cli.reference import render_cli_markdown
from starling.client import address
from starling.core.config import ENDPOINT_SILENCE_RANGE, PARTIAL_INTERVAL_RANGE, VadMode

COMMANDS = ["serve", "demo", "stream", "mic", "transcribe", "doctor", "version"]
DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"
HEAVY = {"numpy", "onnxruntime", "websockets", "fastapi", "uvicorn", "av", "msgspec", "rich.console"}


def test_the_document_is_what_the_code_says() -> None:
    assert DOCUMENT.read_text() == render_cli_markdown(), "write it anew: python -m starling.cli.reference > docs/cli.md"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_document_names_the_options_for_help_as_the_page_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    assert "-h, --help" in capsys.readouterr().out
    page = DOCUMENT.read_text().partition(f"\n## starling {command}\n")[2].partition("\n## ")[0]
    assert "-h, --help" in page


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    page = capsys.readouterr().out
    assert f"starling {command}" in page
    assert "Examples:\n    starling" in page


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_without_a_command_there_is_the_list_of_them(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0
    page = capsys.readouterr().out
    assert all(f"\n  {command} " in page for command in COMMANDS)


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"starling {__version__}\n"
    assert run(["version"]) == 0
    assert capsys.readouterr().out.startswith(f"starling {__version__} (Python 3.")


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["demo", "--help"], ["strem"]])
def test_a_quick_answer_loads_nothing_heavy(arguments: list[str]) -> None:
    script = f"import sys; from starling.cli.entry import run; run({arguments!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    loaded = set(done.stdout.rpartition("\n")[0].rpartition("\n")[2].split())
    assert "starling.cli.entry" in loaded
    # A wrong command is told apart from our own errors, which live in the core.
    assert not loaded & (HEAVY - {"numpy"} if arguments == ["strem"] else HEAVY)


def test_flags_say_what_the_core_says() -> None:
    assert set(get_args(flags.Vad)) == set(VadMode)
    assert address.DEFAULT_URL == flags.DEFAULT_URL
    for flag, bounds in ((flags.PartialInterval, PARTIAL_INTERVAL_RANGE), (flags.EndpointSilence, ENDPOINT_SILENCE_RANGE)):
        option = get_args(flag)[1]
        assert (option.min, option.max) == bounds
