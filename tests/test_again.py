"""Tests that fail are run once more, alone: who fails twice fails, and who does not is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import again

UNSTEADY = """
from pathlib import Path
def test_unsteady():
    been = Path(__file__).with_name("been")
    if not been.exists():
        been.touch()
        raise AssertionError
"""


def run(folder: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text("def test_sound(): pass\n" + code)
    arguments = [
        sys.executable,
        again.__file__,
        f"--rootdir={folder}",
        f"--confcutdir={folder}",
        "-p",
        "no:cacheprovider",
        str(folder),
    ]
    given = {name: value for name, value in os.environ.items() if name != "ONCE" and not name.startswith("PYTEST_")}
    return subprocess.run(arguments, cwd=folder, env=given | environment, capture_output=True, text=True, check=False)  # noqa: S603 - pytest, too


def test_all_pass(tmp_path: Path) -> None:
    done = run(tmp_path, "")
    assert done.returncode == 0
    assert "once more" not in done.stdout


def test_an_unsteady_test_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, UNSTEADY)
    assert done.returncode == 0
    assert done.stdout.rstrip().endswith("please mend:\n  test_it.py::test_unsteady")


def test_whoever_wants_no_second_attempt(tmp_path: Path) -> None:
    done = run(tmp_path, UNSTEADY, ONCE="1")
    assert done.returncode == 1
    assert "once more" not in done.stdout


def test_who_fails_twice_fails(tmp_path: Path) -> None:
    done = run(tmp_path, UNSTEADY + "def test_broken(): assert False\n")
    assert done.returncode == 1
    assert "once more, alone: test_it.py::test_unsteady, test_it.py::test_broken" in done.stdout
    assert "UNSTEADY" not in done.stdout


def test_many_failures_are_not_tried_again(tmp_path: Path) -> None:
    done = run(tmp_path, "".join(f"def test_{n}(): assert False\n" for n in range(again.AT_MOST + 1)))
    assert done.returncode == 1
    assert "once more" not in done.stdout


def test_what_cannot_be_collected_fails(tmp_path: Path) -> None:
    assert run(tmp_path, "import nothing_of_this_name\n").returncode == 2
