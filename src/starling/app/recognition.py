"""A recognizer worker with its models, each on a thread of its own: the same in every form of the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from starling.app.bus import Bus
from starling.app.model_thread import ModelThread
from starling.app.options import batching, segmentation_options
from starling.bus.memory import MemoryWitness
from starling.config.groups.recognition import EngineName
from starling.config.settings import Settings
from starling.core.ports import Capabilities, Clock, Engine, Vad, Witness
from starling.engine.moonshine import MoonshineEngine
from starling.engine.moonshine.options import MoonshineOptions, Precision
from starling.engine.scripted import ScriptedEngine
from starling.scheduler.loop import Offload
from starling.telemetry.logs import get_logger
from starling.telemetry.metrics import Metrics
from starling.telemetry.run_queue import KernelQueue
from starling.telemetry.spans import NO_TRACER, Tracer
from starling.vad.detector import Detector
from starling.worker.ports import Ports
from starling.worker.recognize import RecognizerWorker

log = get_logger(__name__)

LAG_PROBE: Final = 0.25
"""Seconds between two looks at how late the event loop is."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """``worker`` is not running yet. ``warm_up`` makes it quick from its first decode on."""

    worker: RecognizerWorker
    capabilities: Capabilities
    warm_up: Callable[[], None]
    decode: Offload


@dataclass(frozen=True, slots=True)
class Models:
    """What a recognizer thinks with."""

    engine: Engine
    vad: Vad

    @property
    def capabilities(self) -> Capabilities:
        return self.engine.capabilities


def load_models(settings: Settings) -> Models:
    """Both, quick from their first call on. Blocks. Raises ModelUnavailable."""
    models = Models(load_engine(settings), Detector())
    models.engine.warm_up()
    return models


@asynccontextmanager
async def recognition(
    settings: Settings,
    *,
    bus: Bus,
    clock: Clock,
    metrics: Metrics,
    worker_id: str,
    witness: Witness | None = None,
    models: Models | None = None,
    tracer: Tracer = NO_TRACER,
) -> AsyncIterator[Recognition]:
    """Models are loaded at the beginning, if there are none yet, and freed at the end, after whatever they still compute.

    Raises ModelUnavailable.
    """
    with ModelThread("decode") as decode, ModelThread("listen") as listen:
        if models is None:
            models = Models(*await asyncio.gather(decode(lambda: load_engine(settings)), listen(Detector)))
        engine, vad = models.engine, models.vad
        metrics.model_info.info({"model": engine.capabilities.model, "version": engine.capabilities.model_version})
        worker = RecognizerWorker(
            Ports(
                audio_log=bus.audio_log,
                results=bus.results,
                board=bus.board,
                engine=engine,
                vad=vad,
                clock=clock,
                metrics=metrics,
                witness=witness or MemoryWitness(),
                run_queue=KernelQueue(),
                tracer=tracer,
            ),
            worker_id=worker_id,
            listen=listen,
            decode=decode,
            segmentation=segmentation_options(settings),
            batching=batching(settings, engine.capabilities),
        )
        try:
            yield Recognition(worker, engine.capabilities, engine.warm_up, decode)
        finally:  # on their threads
            await decode(engine.close)
            await listen(vad.close)


def load_engine(settings: Settings) -> Engine:
    """The engine that was chosen. Blocks. Raises ModelUnavailable."""
    match settings.engine.name:
        case EngineName.MOONSHINE_TINY_EN:
            engine = MoonshineEngine.load(MoonshineOptions(precision=Precision(settings.engine.precision)))
            log.info("model loaded", graphs=engine.provenance.source, precision=engine.provenance.precision)
            if shortfall := engine.capabilities.shortfall:
                log.warning("model serves otherwise than asked", reason=shortfall)
            return engine
        case EngineName.SCRIPTED:
            return ScriptedEngine()


async def watch_lag(metrics: Metrics, clock: Clock) -> None:
    """Measure how late timers fire, for ever."""
    while True:
        due = clock.now() + LAG_PROBE
        await asyncio.sleep(LAG_PROBE)
        metrics.event_loop_lag.observe(max(0.0, clock.now() - due))
