"""What processes have in common that share the tests between them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def common_folder(paths: pytest.TempPathFactory) -> Path:
    """A temporary folder of this run, the same one in all its processes."""
    mine = paths.getbasetemp()
    return mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine


@contextmanager
def one_at_a_time(paths: pytest.TempPathFactory) -> Iterator[None]:
    """Wait until no other process of this run is in here. Who is killed in here leaves, too."""
    with (common_folder(paths) / "one at a time").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
