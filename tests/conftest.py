"""Property tests try the same examples in every run, however slow the machine. ``HYPOTHESIS_PROFILE=explore`` tries new ones.

What a test makes of the process's logging ends with it: a server in this process configures it for everybody.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

os.environ["XDG_CONFIG_HOME"] = os.devnull  # the API keys of whoever runs the tests are none of theirs

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
