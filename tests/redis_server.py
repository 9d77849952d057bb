"""A Redis of the tests' own: on a unix socket in a directory of its own, gone with whoever started it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from patience import PATIENCE


def binary() -> str:
    """Where redis-server is. Skips the test where it is not, and fails where it must be."""
    found = shutil.which("redis-server")
    if found is None:
        reason = "redis-server is not installed: apt-get install redis-server"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class RedisServer:
    """``url`` leads to it. ``stop`` and ``start`` in turn are a restart, with what it had written down.

    ``within``: words of a command that runs it somewhere else, such as another network.
    """

    def __init__(self, *extra: str, within: Sequence[str] = ()) -> None:
        self._binary = binary()
        self._directory = tempfile.TemporaryDirectory(prefix="starling-redis-")
        self._extra = extra
        self._within = within
        self._process: subprocess.Popen[bytes] | None = None
        self.path = Path(self._directory.name) / "socket"
        self.url = f"unix://{self.path}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "Redis runs"
        return self._process.pid

    def start(self) -> None:
        place = ("--port", "0", "--unixsocket", str(self.path), "--dir", self._directory.name, "--save", "", "--daemonize", "no")
        self._process = subprocess.Popen(  # noqa: S603 - our own words
            [*self._within, self._binary, *place, "--appendonly", "yes", *self._extra],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, f"redis-server ended at once: {self._process.returncode}"
            assert time.monotonic() < until, "redis-server does not answer"
            time.sleep(0.01)

    def command(self, words: str) -> str:
        """The first line of what it answers."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.path))
            client.sendall(f"{words}\r\n".encode())
            return client.recv(64).decode().partition("\r\n")[0]

    def _answers(self) -> bool:
        try:
            return self.command("PING") == "+PONG"
        except OSError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE)
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop(signal.SIGKILL)
        self._directory.cleanup()
