"""One end of the bus in another process, called from tests: its objects do there what they are told here.

Run as a script with the number of a socket, it serves calls; ``OtherProcess`` makes them.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from starling.bus.history import KEPT
from starling.bus.shared.arena import Arena
from starling.bus.shared.log_reader import LogReader
from starling.bus.shared.log_writer import LogWriter
from starling.bus.shared.results_writer import ResultsWriter
from starling.bus.shared.slots import Slots

ROOT = Path(__file__).parents[3]


class OtherProcess:
    """Speaks to the script below. ``attach`` lets it attach another arena; ``call`` has one of its objects do something."""

    def __init__(self) -> None:
        here, there = socket.socketpair()
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"}
        self.process = subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, "-m", "bus.shared.other_process", str(there.fileno())], pass_fds=[there.fileno()], env=environment
        )
        there.close()
        self._socket = here

    def attach(self, arena: Arena, *, kept: int = KEPT) -> None:
        socket.send_fds(self._socket, [b"a"], list(arena.fds))
        self._ask(kept)

    def call(self, target: str, method: str, *args: Any) -> Any:
        self._socket.sendall(b"c")
        return self._ask((target, method, args))

    def _ask(self, question: Any) -> Any:
        _send(self._socket, question)
        done, answer = _receive(self._socket)
        if done:
            return answer
        raise answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()
        self.process.wait()


def remote(other: OtherProcess, target: str, wake: Callable[[], None]) -> Any:
    """``target`` in the other process, as if it were here."""
    return _Remote(other, target, wake)


class _Remote:
    """An object in the other process. ``wake``: called after each call, for the bells it rang are not heard on virtual time."""

    def __init__(self, other: OtherProcess, target: str, wake: Callable[[], None]) -> None:
        self._other = other
        self._target = target
        self._wake = wake

    def __getattr__(self, method: str) -> Any:
        def call(*args: Any) -> Any:
            try:
                return self._other.call(self._target, method, *args)
            finally:
                self._wake()

        return call


def _send(to: socket.socket, value: Any) -> None:
    data = pickle.dumps(value)
    to.sendall(len(data).to_bytes(8, "little") + data)


def _receive(of: socket.socket) -> Any:
    length = int.from_bytes(of.recv(8, socket.MSG_WAITALL), "little")
    return pickle.loads(of.recv(length, socket.MSG_WAITALL))  # noqa: S301 - our own


def _objects(arena: Arena, kept: int) -> dict[str, Any]:
    slots = Slots(arena)
    return {
        "slots": slots,
        "writer": LogWriter(arena, slots),
        "reader": LogReader(arena, 0),
        "results": ResultsWriter(arena, None, kept=kept),
    }


def _serve(link: socket.socket) -> None:
    fds: list[int] = []
    objects: dict[str, Any] = {}
    while True:
        order, new, _, _ = socket.recv_fds(link, 1, 16)
        if not order:
            return
        try:
            if order == b"a":
                objects.clear()
                for fd in fds:
                    os.close(fd)
                fds = new
                objects = _objects(Arena.attach(fds[0], fds[1:]), _receive(link))
                answer: tuple[bool, Any] = True, None
            else:
                target, method, args = _receive(link)
                answer = True, getattr(objects[target], method)(*args)
        except Exception as error:  # noqa: BLE001 - raised again where it was asked for
            answer = False, error
        _send(link, answer)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
