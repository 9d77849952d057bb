"""``python -m bench.ballast serve ...``: Starling, whose processes take more memory than they may when SIGUSR2 says so."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

from starling.app.host import MODULES
from starling.cli import main
from starling.supervisor.launch import Role

STEP = 64 << 20
"""Bytes taken at a time."""

_ballast: list[bytearray] = []


def take_on_ballast() -> None:
    """From now on SIGUSR2 lets this process grow until it is ended, without standing still."""

    def grow() -> None:
        while True:
            _ballast.append(bytearray(b"x" * STEP))
            time.sleep(0.02)

    def begin(_: int, __: FrameType | None) -> None:
        threading.Thread(target=grow, daemon=True).start()

    signal.signal(signal.SIGUSR2, begin)


if __name__ == "__main__":
    MODULES[Role.GATEWAY] = "bench.ballast_gateway"
    MODULES[Role.WORKER] = "bench.ballast_worker"
    main()
