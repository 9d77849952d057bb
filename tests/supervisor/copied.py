"""``python -m supervisor.copied``: a template that loads nothing, and whose copies do what their launch says."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time

from starling.supervisor.copying import await_launch


def main() -> None:
    """``argv``: the number of the socket, and what is to happen."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    match sys.argv[2]:
        case "fail":
            requests.send(b"no")
            sys.exit(3)
        case "threads":
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        case "hang":
            time.sleep(600)
    with os.fdopen(await_launch(requests, b"yes"), "rb") as message:
        words = message.read().decode().split()
    match words:
        case ["exit", status]:
            os._exit(int(status))
        case ["tell", number]:
            os.write(int(number), f"{os.getpid()} {os.getppid()} {os.getpgid(0)} {sys.argv[2]}".encode())
        case ["wait"]:
            time.sleep(600)
    os._exit(0)


if __name__ == "__main__":
    main()
