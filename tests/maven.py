"""Jars of servers for the tests, by their Maven coordinates: fetched once per machine, into the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

FETCHING: Final = 600.0


class JarsMissing(Exception):
    """There can be no such server here. Says what is missing."""


def jars(pom: Path, name: str, expected: str) -> Path:
    """The folder of what ``pom`` names, fetched by the first who asks, under ``name``. ``expected``: a pattern of one of them.

    Raises JarsMissing.
    """
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    if missing:
        raise JarsMissing(f"{' and '.join(missing)} not installed: apt-get install openjdk-17-jre-headless maven")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "starling"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=cache) as place:
                _fetch(pom, Path(place), name, expected)
                (Path(place) / "jars").rename(folder)
    return folder


def _fetch(pom: Path, place: Path, name: str, expected: str) -> None:
    shutil.copy(pom, place / "pom.xml")
    words = ("mvn", "--quiet", "--batch-mode", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=jars")
    try:
        done = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=FETCHING, check=False)  # noqa: S603 - our own words
    except subprocess.TimeoutExpired:
        raise JarsMissing(f"mvn did not fetch the jars of {name} in time") from None
    if done.returncode or not list((place / "jars").glob(expected)):
        reason = next((line for line in done.stdout.splitlines() if "ERROR" in line), "for no reason that it gave")
        raise JarsMissing(f"mvn did not fetch the jars of {name}: {reason}")
