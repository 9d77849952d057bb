"""What processes have in common that share the tests between them, and which tests stay in one of them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

SHARED_BY_MODULES = (
    "tests/browser/",
    "tests/bus/redis/",
    "tests/chaos/test_kafka",
    "tests/chaos/test_quarantine",
    "tests/engine/",
    "tests/jobs/test_processes_killed",
    "tests/jobs/test_redis",
    "tests/jobs/test_s3",
    "tests/vad/",
)
SHARED_BY_FOLDERS = ("tests/bus/kafka/",)
SHARED_BY_CLASSES = ("tests/bus/shared/",)


def group_of(test: str) -> str:
    """Tests of one group stay together, in the process that makes what they share; most tests are a group of their own.

    Others may share fixtures, too; each process that has some of them makes its own then, which only costs time.

    ``test``: its node id. ``xdist_group`` would say this, but is without effect from pytest 9.2 on (xdist 3.8, issue 1386).
    """
    module, _, name = test.partition("::")
    for folder in SHARED_BY_FOLDERS:
        if module.startswith(folder):
            return folder
    if module.startswith(SHARED_BY_MODULES):
        return module
    return test.rpartition("::")[0] if module.startswith(SHARED_BY_CLASSES) and name.count("::") else test


class Groups(LoadScopeScheduling):
    """Distributes groups; the largest first."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


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
