"""The supervisor's end of one template: see copying.py for what happens at the other."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
from contextlib import suppress
from typing import Final

from starling.core.errors import ServerError
from starling.supervisor.copying import ANSWER, REQUEST

PR_SET_CHILD_SUBREAPER: Final = 36
"""prctl(2): grandchildren whose parent ends become children of this process."""

PATIENCE: Final = 1.0
"""Seconds that a template may take for a copy, which takes it milliseconds. One that is stopped takes for ever."""

LOOK: Final = 0.02
"""Seconds between two looks for a copy that must end."""

MOST_SAID: Final = 1 << 16


class TemplateLost(Exception):
    """It ended, or does not answer, and is being ended."""


def adopt_orphans() -> None:
    """Let copies of templates become this process's children."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Template:
    """A ``process`` that was started with the other end of ``requests``, a pair of sockets that keep messages apart.

    ``patience``: seconds that it may take for a copy.
    """

    def __init__(self, process: asyncio.subprocess.Process, requests: socket.socket, *, patience: float = PATIENCE) -> None:
        self._process = process
        self._patience = patience
        self._requests = requests
        self._requests.setblocking(False)  # noqa: FBT003 - its only argument
        self._one_at_a_time = asyncio.Lock()

    @staticmethod
    def channel() -> tuple[socket.socket, socket.socket]:
        """Both ends: the supervisor's and the template's."""
        return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def said(self) -> bytes:
        """Its first message, once it is ready, or says why it never will be. Empty if it ended without a word."""
        with suppress(ConnectionError):
            return await asyncio.get_running_loop().sock_recv(self._requests, MOST_SAID)
        return b""

    async def copy(self, launch: bytes) -> int:
        """Make a copy that reads ``launch``; its process id. It is a child of this process, in a process group of its own.

        Raises TemplateLost, or ServerError if the machine has no process or memory for another.
        """
        read, write = os.pipe()
        try:
            pid = await self.fork(read)
            with suppress(OSError):  # it is dead already, which whoever waits for it notices
                os.write(write, launch)
        finally:
            os.close(write)  # without a launch it ends
        return pid

    async def fork(self, fd: int) -> int:
        """Make a copy that gets ``fd``, which is closed here. As ``copy`` in everything else."""
        async with self._one_at_a_time:
            pid = await self._ask(fd)
            with suppress(OSError):
                os.setpgid(pid, pid)
            return pid

    async def _ask(self, launch: int) -> int:
        try:
            try:
                socket.send_fds(self._requests, [REQUEST], [launch])
            finally:
                os.close(launch)
            async with asyncio.timeout(self._patience):
                answer = await asyncio.get_running_loop().sock_recv(self._requests, ANSWER.size)
        except (OSError, TimeoutError) as error:
            self.kill()
            raise TemplateLost from error
        except asyncio.CancelledError:
            self.kill()  # its answer would be taken for that to the next request
            raise
        if len(answer) < ANSWER.size:
            raise TemplateLost
        (pid,) = ANSWER.unpack(answer)
        if pid < 0:
            raise ServerError(f"expected to start a process, got: {os.strerror(-pid)}: give the machine more processes or memory")
        return int(pid)

    def kill(self) -> None:
        """End it. Copies live on."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self) -> int:
        """Its exit status, once it is reaped, and with it whatever it was copying. Negative: the signal that ended it."""
        status = await self._process.wait()
        self._requests.close()
        while _strays(self.pid):  # noqa: ASYNC110 - the kernel ends them, and tells nobody
            await asyncio.sleep(LOOK)
        return status


def _strays(group: int) -> bool:
    """Reap children that are still in the process group of a template that is gone, and end the others. Whether there are any."""
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        return True
    return False
