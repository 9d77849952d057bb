"""Property tests try the same examples in every run, however slow the machine. ``HYPOTHESIS_PROFILE=explore`` tries new ones.

What a test makes of the process's logging ends with it: a server in this process configures it for everybody.

Several processes share the tests between them. Those that share a fixture stay in the one that made it.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from starling.engine.moonshine import engine, load_model
from starling.supervisor.template import PR_SET_CHILD_SUBREAPER
from together import Groups, one_at_a_time

settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

os.environ["XDG_CONFIG_HOME"] = os.devnull  # the API keys of whoever runs the tests are none of theirs
_DATA = tempfile.TemporaryDirectory(prefix="starling-tests-", ignore_cleanup_errors=True)
os.environ["XDG_DATA_HOME"] = _DATA.name  # nor are the recordings
os.environ["STARLING_JOBS__WORKERS"] = "0"  # nor is their computing for recordings that nobody sent

WARM_UP_LENGTHS, engine._WARM_UP_LENGTHS = engine._WARM_UP_LENGTHS, engine._WARM_UP_LENGTHS[:1]
"""A server in this process need not be quick from its first decode on."""

LOGGERS = ("", "starling", "uvicorn.access", "uvicorn.error")
"""Those whose level is set when a server starts."""


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, hooks = list(root.handlers), (sys.excepthook, threading.excepthook)
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    yield
    root.handlers[:] = handlers
    sys.excepthook, threading.excepthook = hooks
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=False)


@pytest.fixture(autouse=True)
def _orphans_are_not_ours() -> Iterator[None]:
    """A supervisor or transcriber in this process adopts what its children leave behind; after it nobody would bury the dead."""
    yield
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture
def warmed_up_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_WARM_UP_LENGTHS", WARM_UP_LENGTHS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    return Groups(config, log)


@pytest.fixture(scope="session")
def _graphs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """On a new machine the graphs are built by the first who needs them, and not by everybody at once."""
    with one_at_a_time(tmp_path_factory):
        load_model()


@pytest.fixture(autouse=True)
def _graphs_are_built(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("model"):
        request.getfixturevalue("_graphs")
