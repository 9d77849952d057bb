"""What the platform costs: CPU of a loaded server that is not spent inside onnxruntime.

::

    python -m bench.overhead --profile read --streams 8

Started with ``serve`` as an argument it *is* the server: each call into onnxruntime is timed by the CPU clock of its thread, and
each process keeps its sum in a file that the measuring process reads while sessions speak. By default everything is one process;
with ``--workers`` there are a supervisor, a gateway and recognizers, and the loop counted is all but their models.
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
from bench.machine import as_text, cpu_seconds, describe, family, main_thread_seconds, pinned
from bench.ramp import Step
from bench.server import own_server
from bench.streams import HEADER, cores, parser, row
from starling.cli.eventloop import run

VARIABLE: Final = "BENCH_INSIDE"
"""Names the folder of these files, to the server."""

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
    with tempfile.TemporaryDirectory() as folder:
        settings = [*arguments.set, f"{VARIABLE}={folder}"]
        own = own_server(settings=settings, core=core, workers=arguments.workers, module=("bench.overhead",))
        async with own as server:
            with pinned(others):
                found = await under_load(server.url, server.pid, Path(folder), load, arguments.streams)
    print(f"{HEADER}\n{row(found.step)}")
    print(f"cores: {found.server:.3f}, inside onnxruntime {found.inside:.3f}; overhead {found.share:.1%}")
    print(f"of the overhead: event loop {found.loop:.3f}, around the models {found.server - found.inside - found.loop:.3f}")
    if arguments.json:
        result = {"machine": asdict(machine), "profile": arguments.profile, "share": found.share, **asdict(found)}
        arguments.json.write_text(json.dumps(result, indent=1))


async def under_load(url: str, pid: int, counters: Path, load: Load, streams: int) -> Overhead:
    """One step, its opening and closing included in both counts."""
    began, cpu, loop, inside = time.monotonic(), cpu_seconds(pid), loop_seconds(pid), read_counters(counters)
    step = await run_step(url, load, streams, server=pid)
    took = time.monotonic() - began - LEAD
    return Overhead(
        step=step,
        server=(cpu_seconds(pid) - cpu) / took,
        loop=(loop_seconds(pid) - loop) / took,
        inside=(read_counters(counters) - inside) / took,
    )


def loop_seconds(pid: int) -> float:
    """CPU of the event loops of ``pid`` and its descendants."""
    return sum(main_thread_seconds(process) for process in family(pid))


def read_counters(folder: Path) -> float:
    """Seconds inside onnxruntime so far, of all processes."""
    return sum(float(struct.unpack("d", file.read_bytes())[0]) for file in folder.iterdir())


def count_inside() -> None:
    """Make every call into onnxruntime of this process add its thread's CPU to a number in the folder that ``VARIABLE`` names."""
    file = Path(os.environ[VARIABLE]) / str(os.getpid())
    file.write_bytes(bytes(8))
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
        from starling.app.host import MODULES  # noqa: PLC0415 - in the server only
        from starling.cli import main as starling  # noqa: PLC0415 - the same
        from starling.supervisor.launch import Role  # noqa: PLC0415 - the same

        count_inside()
        MODULES[Role.WORKER] = "bench.overhead_worker"
        starling()
        return
    arguments = parser(__doc__)
    arguments.add_argument("--streams", type=int, default=8, help="sessions that speak at once (default: 8)")
    arguments.add_argument("--workers", type=int, default=0, help="recognizers; default: everything in one process")
    run(measure(arguments.parse_args()))


if __name__ == "__main__":
    main()
