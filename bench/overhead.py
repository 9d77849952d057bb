"""What the platform costs: CPU of a loaded server that is not spent inside onnxruntime.

::

    python -m bench.overhead --profile read --streams 8

The server is one process. Started with ``serve`` as an argument it *is* that server: each call into onnxruntime is timed by the
CPU clock of its thread, and the sum is kept in a file that the measuring process reads while sessions speak.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import sys
import tempfile
import threading
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bench.audio import pool, recordings
from bench.load import LEAD, Load, run_step
from bench.machine import as_text, cpu_seconds, describe, main_thread_seconds, pinned
from bench.ramp import Step
from bench.server import own_server
from bench.streams import HEADER, cores, parser, row
from starling.cli.eventloop import run

VARIABLE: Final = "STARLING_BENCH_INSIDE"
"""Names the file, to the server."""

ONE_PROCESS: Final = "STARLING_PROCESSES__WORKERS=0"
"""Gateway and recognizer together, so that all that is not inside onnxruntime is counted in one place."""

CALLS: Final = ("run", "run_with_iobinding", "run_with_ort_values", "run_with_ortvaluevector")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overhead:
    """Cores used under a step's load: by the server, in all; by its event loop; and inside onnxruntime, on other threads."""

    step: Step
    server: float
    loop: float
    inside: float

    @property
    def share(self) -> float:
        """Of the server's CPU, what is not inside."""
        return 1 - self.inside / self.server


async def measure(arguments: Namespace) -> None:
    """Load an own server for a while and print what was spent where."""
    machine = await describe()
    print(as_text(machine), end="\n\n")
    core, *others = cores()
    load = Load(
        pool=pool(arguments.profile, recordings(arguments.data)), seconds=arguments.seconds, max_segment=arguments.max_segment
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(8))
        file.flush()
        settings = [*arguments.set, ONE_PROCESS, f"{VARIABLE}={file.name}"]
        async with own_server(settings=settings, core=core, module=("bench.overhead",)) as server:
            with pinned(others):
                found = await under_load(server.url, server.pid, Path(file.name), load, arguments.streams)
    print(f"{HEADER}\n{row(found.step)}")
    print(f"cores: {found.server:.3f}, inside onnxruntime {found.inside:.3f}; overhead {found.share:.1%}")
    print(f"of the overhead: event loop {found.loop:.3f}, around the models {found.server - found.inside - found.loop:.3f}")
    if arguments.json:
        result = {"machine": asdict(machine), "profile": arguments.profile, "share": found.share, **asdict(found)}
        arguments.json.write_text(json.dumps(result, indent=1))


async def under_load(url: str, pid: int, counter: Path, load: Load, streams: int) -> Overhead:
    """One step, its opening and closing included in both counts."""
    began, cpu, loop, inside = time.monotonic(), cpu_seconds(pid), main_thread_seconds(pid), read_counter(counter)
    step = await run_step(url, load, streams, server=pid)
    took = time.monotonic() - began - LEAD
    return Overhead(
        step=step,
        server=(cpu_seconds(pid) - cpu) / took,
        loop=(main_thread_seconds(pid) - loop) / took,
        inside=(read_counter(counter) - inside) / took,
    )


def read_counter(file: Path) -> float:
    """Seconds inside onnxruntime so far."""
    (seconds,) = struct.unpack("d", file.read_bytes())
    return float(seconds)


def count_inside(file: Path) -> None:
    """Make every call into onnxruntime add its thread's CPU to the number in ``file``."""
    from onnxruntime.capi import onnxruntime_pybind11_state as native  # noqa: PLC0415 - in the server only

    with file.open("r+b") as opened:
        counter = mmap.mmap(opened.fileno(), 8)
    lock = threading.Lock()
    total = 0.0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            nonlocal total
            before = time.thread_time()
            try:
                return call(*arguments, **options)
            finally:
                with lock:
                    total += time.thread_time() - before
                    struct.pack_into("d", counter, 0, total)

        return timed

    for name in CALLS:
        setattr(native.InferenceSession, name, counted(getattr(native.InferenceSession, name)))


def main() -> None:
    """The command line, and that of the server it starts."""
    if sys.argv[1:2] == ["serve"]:
        from starling.cli import main as starling  # noqa: PLC0415 - after the calls it will make are counted

        count_inside(Path(os.environ.pop(VARIABLE)))
        starling()
        return
    arguments = parser(__doc__)
    arguments.add_argument("--streams", type=int, default=8, help="sessions that speak at once (default: 8)")
    run(measure(arguments.parse_args()))


if __name__ == "__main__":
    main()
