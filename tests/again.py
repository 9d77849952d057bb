"""``python tests/again.py ...``: pytest, and the few tests that failed once more, alone.

Real processes, browsers and brokers share few cores here. A test that fails beside the others and passes alone is unsteady:
it is named at the end, to be mended, and does not fail the run (CPython's ``regrtest --rerun`` does the same). One that fails
twice does. ``ONCE=1`` in the environment lets the first failure count.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

AT_MOST = 5
"""Tests. Where more fail, it is not for the crowd."""


class Failures:
    """A plugin that notes which tests failed, in whatever phase; and which could not even be collected."""

    def __init__(self) -> None:
        self.tests: dict[str, None] = {}
        self.uncollected = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.tests[report.nodeid] = None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.uncollected = self.uncollected or report.failed


def say(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Exit status of pytest; 0 too where every test that failed passed alone."""
    failures = Failures()
    status = int(pytest.main(arguments, plugins=[failures]))
    failed = list(failures.tests)
    if status != pytest.ExitCode.TESTS_FAILED or failures.uncollected or not 0 < len(failed) <= AT_MOST or os.environ.get("ONCE"):
        return status
    say(f"once more, alone: {', '.join(failed)}")
    options = [argument for argument in arguments if argument.startswith(("--rootdir", "--confcutdir"))]
    if subprocess.run([sys.executable, "-m", "pytest", "-p", "no:xdist", *options, *failed], check=False).returncode:  # noqa: S603 - pytest
        return status
    say("\n  ".join(("UNSTEADY, failed beside others and passed alone; please mend:", *failed)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
