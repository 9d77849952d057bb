"""Whose child a process is: it ends with its parent, and is called by its name where processes are listed (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1
"""prctl(2): the signal a process gets when the thread that started it ends."""

PR_SET_NAME: Final = 15
"""prctl(2): what `ps -o comm` and `top` call a process, 15 letters at most."""


def end_with(parent: int, name: str) -> None:
    """End when process ``parent`` does, whose child this one is, and be called ``name`` in `ps -o comm`."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0)
    if os.getppid() != parent:  # it ended before we asked to be told
        os.kill(os.getpid(), signal.SIGKILL)
