"""Property tests try the same examples in every run, however slow the machine. ``HYPOTHESIS_PROFILE=explore`` tries new ones.

What a test makes of the process's logging ends with it: a server in this process configures it for everybody.

Several processes share the tests between them. Those that share a fixture stay together, in the process that made it.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import settings

from starling.engine.moonshine import engine, load_model
from together import one_at_a_time

settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

os.environ["XDG_CONFIG_HOME"] = os.devnull  # the API keys of whoever runs the tests are none of theirs

WARM_UP_LENGTHS, engine._WARM_UP_LENGTHS = engine._WARM_UP_LENGTHS, engine._WARM_UP_LENGTHS[:1]
"""A server in this process need not be quick from its first decode on, and to warm up takes five times as long as to load."""

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


@pytest.fixture
def warmed_up_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_WARM_UP_LENGTHS", WARM_UP_LENGTHS)


@pytest.hookimpl(tryfirst=True)  # before those who distribute look
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a module or a class shares is made once: its tests are a group of ``--dist loadgroup``."""
    scopes = {item.nodeid: _scopes(item) for item in items}
    modules = {_module(item) for item in items if scopes[item.nodeid] & {"module", "session"}}
    for item in items:
        if _module(item) in modules:
            item.add_marker(pytest.mark.xdist_group(_module(item)))
        elif "class" in scopes[item.nodeid]:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.rpartition("::")[0]))


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _scopes(item: pytest.Item) -> set[str]:
    """Of the fixtures that the tests define and ``item`` takes."""
    known = getattr(item, "_fixtureinfo")  # noqa: B009 - pytest has no other way to know them
    return {fixture.scope for fixtures in known.name2fixturedefs.values() for fixture in fixtures if fixture.baseid}


@pytest.fixture(scope="session")
def _graphs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """On a new machine the graphs are built by the first who needs them, and not by everybody at once."""
    with one_at_a_time(tmp_path_factory):
        load_model()


@pytest.fixture(autouse=True)
def _graphs_are_built(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("model"):
        request.getfixturevalue("_graphs")
