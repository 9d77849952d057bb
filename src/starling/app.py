"""The composition root: the only place that chooses implementations.

``running`` is the whole server in one process: a gateway on the event loop, a recognizer worker beside it, the bus in memory
between them, and one thread for each of the two models.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from starling.bus.memory import MemoryAudioLog, MemoryLoadBoard, MemoryResultBus
from starling.config.settings import EngineName, Settings
from starling.core.audio import samples
from starling.core.config import SessionConfig
from starling.core.errors import InvalidOption
from starling.core.ports import Clock, Engine
from starling.engine.moonshine import MoonshineEngine
from starling.engine.moonshine.options import MoonshineOptions, Precision
from starling.engine.scripted import ScriptedEngine
from starling.gateway.gateway import Gateway
from starling.gateway.options import GatewayOptions
from starling.gateway.server import serving
from starling.gateway.stream import Ports as GatewayPorts
from starling.scheduler.batcher import BatchOptions
from starling.scheduler.loop import Offload
from starling.session.options import SegmentationOptions
from starling.telemetry.clock import SystemClock
from starling.telemetry.health import Health, State
from starling.telemetry.logs import LogOptions, configure_logging, get_logger
from starling.telemetry.metrics import Metrics
from starling.vad.detector import Detector
from starling.vad.gate import GateOptions
from starling.worker.live import Ports as WorkerPorts
from starling.worker.recognize import RecognizerWorker

log = get_logger(__name__)

LAG_PROBE: Final = 0.25
"""Seconds between two looks at how late the event loop is."""

FORCE_AFTER: Final = 2.0
"""Seconds that the recognizer gets to finish what sessions left behind, once the gateway is gone."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Running:
    """A server that takes sessions. ``url``: where its console is; ``stream_url``: where its WebSocket is."""

    url: str
    stream_url: str
    metrics: Metrics
    health: Health


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """A server for as long as the block runs; at its end sessions are drained. Raises StarlingError when it cannot start."""
    try:
        async with _composed(settings) as server:
            yield server
    except BaseExceptionGroup as group:  # of the one task that failed, or of the block itself
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


@asynccontextmanager
async def _composed(settings: Settings) -> AsyncIterator[Running]:
    metrics, clock, health = Metrics(), SystemClock(), Health("engine")
    configure_logging(LogOptions(level=settings.log.level, format=settings.log.format), metrics=metrics)
    segmentation = SegmentationOptions(**settings.segmentation.model_dump())
    max_lead = _max_lead(settings, segmentation)
    with ThreadPoolExecutor(1, "decode") as decode_thread, ThreadPoolExecutor(1, "listen") as listen_thread:
        decode, listen = _on(decode_thread), _on(listen_thread)
        engine, vad = await decode(lambda: _engine(settings)), await listen(Detector)
        metrics.model_info.info({"model": engine.capabilities.model, "version": engine.capabilities.model_version})
        audio_log = MemoryAudioLog(max_lead=max_lead)
        results, board = MemoryResultBus(), MemoryLoadBoard()
        worker = RecognizerWorker(
            WorkerPorts(audio_log=audio_log, results=results, board=board, engine=engine, vad=vad, clock=clock, metrics=metrics),
            worker_id=f"{platform.node()}-{os.getpid()}",
            listen=listen,
            decode=decode,
            segmentation=segmentation,
            batching=_batching(settings, engine),
        )
        gateway = Gateway(
            gateway_options(settings),
            GatewayPorts(audio_log=audio_log, results=results, board=board, clock=clock, metrics=metrics),
            engine.capabilities,
            health,
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                recognizing = tasks.create_task(worker.run(), name="recognizer")
                probe = tasks.create_task(_watch(metrics, clock), name="event loop probe")
                async with serving(gateway) as (host, port):
                    await decode(engine.warm_up)
                    health.set("engine", State.OK)
                    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                    log.info("serving", address=address, model=engine.capabilities.model)
                    try:
                        yield Running(f"http://{address}/", f"ws://{address}/v1/stream", metrics, health)
                    finally:
                        await gateway.drain(settings.server.drain_grace)
                await audio_log.close()
                with suppress(TimeoutError):
                    await asyncio.wait_for(recognizing, FORCE_AFTER)
                probe.cancel()
        finally:  # on their threads, after whatever they still compute
            await decode(engine.close)
            await listen(vad.close)


def session_config(settings: Settings) -> SessionConfig:
    """What a session gets that does not choose."""
    chosen = settings.session
    return SessionConfig(
        language=chosen.language,
        partials=chosen.partials,
        partial_interval=chosen.partial_interval_ms / 1000,
        endpoint_silence=chosen.endpoint_silence_ms / 1000,
        words=chosen.words,
        vad=chosen.vad,
    )


def gateway_options(settings: Settings) -> GatewayOptions:
    """The gateway's share of the settings."""
    return GatewayOptions(
        defaults=session_config(settings),
        gate=GateOptions(**settings.gate.model_dump()),
        **settings.server.model_dump(exclude={"drain_grace"}),
    )


def _max_lead(settings: Settings, segmentation: SegmentationOptions) -> int:
    """In samples. Raises InvalidOption for one in which a segment might never end, and its client wait for ever."""
    lead, needed = settings.audio_log.max_lead_seconds, segmentation.longest_uncommitted
    if lead < needed:
        raise InvalidOption(
            f"audio_log.max_lead_seconds must be at least {needed:g}, which segmentation.idle_checkpoint and "
            f"segmentation.max_segment may take before anything is committed; got {lead:g}"
        )
    return samples(lead)


def _batching(settings: Settings, engine: Engine) -> BatchOptions:
    chosen = BatchOptions(**settings.scheduler.model_dump())
    return replace(chosen, max_batch=min(chosen.max_batch, engine.capabilities.batch_size))


def _engine(settings: Settings) -> Engine:
    match settings.engine.name:
        case EngineName.MOONSHINE_TINY_EN:
            engine = MoonshineEngine.load(
                MoonshineOptions(precision=Precision(settings.engine.precision), beam=settings.engine.beam)
            )
            log.info("model loaded", graphs=engine.provenance.source, precision=engine.provenance.precision)
            if engine.provenance.reason:
                log.warning("model serves otherwise than asked", reason=engine.provenance.reason)
            return engine
        case EngineName.SCRIPTED:
            return ScriptedEngine()


def _on(thread: ThreadPoolExecutor) -> Offload:
    async def offload(call: Callable[[], T], /) -> T:
        return await asyncio.get_running_loop().run_in_executor(thread, call)

    return offload


async def _watch(metrics: Metrics, clock: Clock) -> None:
    """Measure how late timers fire."""
    while True:
        due = clock.now() + LAG_PROBE
        await asyncio.sleep(LAG_PROBE)
        metrics.event_loop_lag.observe(max(0.0, clock.now() - due))
