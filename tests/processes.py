"""What tests ask of other processes, and the ports that they give them."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

OUR_PORTS = range(20_000, 32_000)
"""Below those that Linux gives to whoever connects, or asks for any port."""


def alive(pid: int) -> bool:
    """Neither gone, nor dead and waiting to be reaped, which whoever inherits it may not do."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def strike(process: asyncio.subprocess.Process, how: signal.Signals, pid: int = 0) -> None:
    """Send a signal to a process, or to ``pid`` which is its child or parent, unless it has ended.

    ``process.send_signal`` would reap one that ended just now, and the loop say of it that its exit status was 255.
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(pid or process.pid, how)


def free_ports(number: int) -> list[int]:
    """Ports for a process that must be told which, and may come back to it. Nobody takes them meanwhile but by choosing them."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < number:
            port = random.choice(OUR_PORTS)
            with suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
    return found
