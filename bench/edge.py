"""A gateway alone, for benchmarks of the edge: what it takes is committed and dropped. ``python -m bench.edge serve``."""

from __future__ import annotations

import asyncio
import signal

from starling.app.collection import collect_rarely
from starling.app.options import gateway_options
from starling.bus.memory import MemoryAudioLog, MemoryLoadBoard, MemoryResultBus, MemorySessionDirectory
from starling.cli.eventloop import run
from starling.config.loading import load_settings
from starling.core.config import SessionConfig
from starling.core.ports import AudioLog, Capabilities
from starling.core.records import Audio, Checkpoint, Ended, Gap, Opened
from starling.gateway.gateway import Gateway
from starling.gateway.ports import Ports
from starling.gateway.server import serving
from starling.telemetry.clock import SystemClock
from starling.telemetry.health import Health, State
from starling.telemetry.metrics import Metrics

DEAF = Capabilities(model="deaf", model_version="1", languages=("en",), word_times=False, confidence=False, max_utterance=480_000)


async def forget(log: AudioLog) -> None:
    """Take every record and keep none."""
    configs: dict[str, SessionConfig] = {}
    async for batch in log.follow():
        for record in batch:
            match record:
                case Opened():
                    configs[record.session_id] = record.checkpoint.config
                case Audio() | Gap():
                    checkpoint = Checkpoint(config=configs[record.session_id], position=record.end)
                    await log.commit(record.session_id, checkpoint)
                case Ended():
                    del configs[record.session_id]
                    await log.forget(record.session_id)


async def serve() -> None:
    """Serve on a free port until SIGTERM."""
    audio_log, health = MemoryAudioLog(max_lead=960_000), Health("engine")
    health.set("engine", State.OK)
    ports = Ports(
        audio_log=audio_log,
        results=MemoryResultBus(),
        board=MemoryLoadBoard(),
        directory=MemorySessionDirectory(),
        clock=SystemClock(),
        metrics=Metrics(),
    )
    options = gateway_options(load_settings(overrides={"server.port": 0}).settings)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    taking = asyncio.create_task(forget(audio_log))
    async with serving(Gateway(options, ports, DEAF, health)) as (host, port):
        collect_rarely()
        print(f"http://{host}:{port}/", flush=True)
        await stop.wait()
    taking.cancel()


if __name__ == "__main__":
    run(serve())
