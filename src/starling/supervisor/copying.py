"""In a template: a process that has loaded all that others need, recognizers or the gateway, and does nothing but be copied.

A copy (fork(2)) is there at once, and shares the template's memory until it writes to it. Only a process of one thread can be
copied: a lock that another thread holds would be held for ever. The copy is made by a child that ends, so that the kernel gives
it to the supervisor (PR_SET_CHILD_SUBREAPER), which learns how it ends as of any child of its own.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path
from typing import Final

from starling.core.errors import ServerError

REQUEST: Final = b"+"
ANSWER: Final = struct.Struct("<i")
"""Process id of the copy, or minus the number of the error that kept it from being made."""


def await_launch(requests: socket.socket, ready: bytes) -> int:
    """Say ``ready``, then make a copy at each request. Returns in the copies only: where each reads what it is to do.

    In the template it ends with SystemExit, once the supervisor lets go of it. ``requests``: see Template. A request comes with
    the copy's file descriptor, which the supervisor only writes to when it knows of the copy. Raises ServerError in a process
    of several threads.
    """
    if (threads := sum(1 for _ in Path("/proc/self/task").iterdir())) > 1:
        raise ServerError(f"expected one thread in the process that others are copied from, found {threads}: report it")
    requests.send(ready)
    while True:
        asked, fds, *_ = socket.recv_fds(requests, len(REQUEST), 1)
        if not asked:
            sys.exit(0)
        (launch,) = fds
        try:
            pid = _fork_orphan()
        except OSError as error:
            pid = -(error.errno or 1)
        if pid == 0:
            requests.close()
            return launch
        os.close(launch)
        requests.send(ANSWER.pack(pid))


def _fork_orphan() -> int:
    """Fork a grandchild whose parent has ended and is reaped; its process id here, 0 there. Raises OSError."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        _fork_and_end(read, write)
        return 0
    os.close(write)
    try:
        answer = os.read(read, ANSWER.size)
    finally:
        os.close(read)
        os.waitpid(child, 0)
    if len(answer) < ANSWER.size:
        raise OSError(1, "the process between ended")
    (pid,) = ANSWER.unpack(answer)
    if pid < 0:
        raise OSError(-pid, os.strerror(-pid))
    return int(pid)


def _fork_and_end(read: int, write: int) -> None:
    """In the process between: returns in the grandchild only."""
    try:
        pid = os.fork()
    except OSError as error:
        pid = -(error.errno or 1)
    if pid != 0:
        os.write(write, ANSWER.pack(pid))
        os._exit(0)
    os.close(read)
    os.close(write)
