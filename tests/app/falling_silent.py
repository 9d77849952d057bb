"""A process beside the server that gives signs of life until its last word is taken for one: then it hangs."""

from __future__ import annotations

import signal
import time
from typing import Final

from starling.supervisor.launch import receive_launch
from starling.supervisor.sheets import Sheets

BEATS: Final = 5


def main() -> None:
    launch = receive_launch()
    sheets = Sheets.attach(launch.sheets)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as a loop that is stuck hears nothing
    for _ in range(BEATS):
        sheets.beat(launch.row)
        time.sleep(0.01)
    sheets.say(launch.row, b"silent")
    signal.pause()


if __name__ == "__main__":
    main()
