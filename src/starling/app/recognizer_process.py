"""Recognizers as processes of their own: ``python -m starling.app.recognizer_process``, for a supervisor to run, is the template
that they are copied from.
"""

from __future__ import annotations

import asyncio

from starling.app.bus import Bus
from starling.app.child import Place, run_template
from starling.app.collection import collect_rarely
from starling.app.recognition import Models, load_models, recognition, watch_lag
from starling.app.tracing import tracing
from starling.bus.shared.sides import WorkerSide
from starling.supervisor.local import worker_name
from starling.supervisor.presence import termination
from starling.supervisor.sheets import SharedWitness


async def recognize(place: Place, models: Models) -> None:
    """Recognize what the supervisor assigns, until SIGTERM."""
    launch, presence = place.launch, place.presence
    worker_id = worker_name(launch.worker)
    side = WorkerSide.of(place.arena, launch.worker, worker_id)
    bus = Bus(audio_log=side.audio_log, results=side.results, board=side.loads)
    with termination() as stop:
        alive = asyncio.create_task(presence.run(), name="presence")
        async with (
            tracing(place.settings, place.metrics, worker_id) as tracer,
            recognition(
                place.settings,
                bus=bus,
                clock=place.clock,
                metrics=place.metrics,
                worker_id=worker_id,
                witness=SharedWitness(place.sheets, launch.row),
                models=models,
                tracer=tracer,
            ) as recognizer,
        ):
            recognizing = asyncio.create_task(recognizer.worker.run(), name="recognizer")
            probe = asyncio.create_task(watch_lag(place.metrics, place.clock), name="event loop probe")
            stopping = asyncio.create_task(stop.wait(), name="stop")
            collect_rarely()
            presence.ready(recognizer.capabilities)
            tasks = {alive, recognizing, probe, stopping}
            done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            presence.draining()
            for task in others:
                task.cancel()
            await asyncio.wait(others)
            for task in done:
                task.result()


if __name__ == "__main__":
    run_template(load_models, recognize)
