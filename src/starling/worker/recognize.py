"""Read this first: the recognizer, from the audio log to results.

Loops share the live sessions of this process. *Follow* takes records off the log and gives them to their session. *Listen* scores
the waiting frames of all sessions as one batch (``listening.py``). *Decode* (the scheduler's loop) turns utterances into text.
*Report* tells gateways how much room there is. Whatever reaches a session goes through its state machine, whose commands it
carries out itself (``live.py``). Models run off the event loop, each on a thread of its own.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starling.core.audio import seconds
from starling.core.errors import Quarantined
from starling.core.records import Audio, Barred, Ended, Opened, Revoked
from starling.scheduler.batcher import BatchOptions
from starling.scheduler.loop import Answer, DecodeLoop, Offload
from starling.session.options import SegmentationOptions
from starling.telemetry.logs import get_logger, log_context
from starling.worker.listening import Listening, pause
from starling.worker.live import LiveSession
from starling.worker.outbox import Spawn
from starling.worker.ports import Ports

log = get_logger(__name__)

REPORT_EVERY: Final = 0.25
"""Seconds between two looks at the load."""


class RecognizerWorker:
    """Follows an audio log until it is closed and every session on it has ended.

    ``worker_id`` names it in the log. ``listen`` and ``decode`` run blocking calls off the event loop, each one call at a time.
    Raises InvalidOption for segments longer than the engine takes.
    """

    def __init__(
        self,
        ports: Ports,
        *,
        worker_id: str,
        listen: Offload,
        decode: Offload,
        segmentation: SegmentationOptions,
        batching: BatchOptions,
    ) -> None:
        segmentation.check_fits(ports.engine.capabilities)
        self._ports = ports
        self._worker_id = worker_id
        self._segmentation = segmentation
        self._sessions: dict[str, LiveSession] = {}
        self._changed = asyncio.Event()
        self._listening = Listening(ports, listen, self._sessions.values, self._settle)
        self._decoder = DecodeLoop(
            ports.engine,
            options=batching,
            answer=self._answer,
            offload=decode,
            clock=ports.clock,
            metrics=ports.metrics,
            witness=ports.witness,
            run_queue=ports.run_queue,
        )

    def segment(self, options: SegmentationOptions) -> None:
        """Cut sessions that come from now on as ``options`` say. Raises InvalidOption as the constructor."""
        options.check_fits(self._ports.engine.capabilities)
        self._segmentation = options

    async def run(self) -> None:
        """Recognize until the log is closed and all sessions have said what they had to say."""
        with log_context(worker_id=self._worker_id, model_version=self._ports.engine.capabilities.model_version):
            await self._run()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            loops = [tasks.create_task(loop) for loop in (self._listening.run(), self._decoder.run(), self._report())]
            await self._follow(tasks.create_task)
            while self._sessions:
                await self._change()
            for loop in loops:
                loop.cancel()

    async def _follow(self, spawn: Spawn) -> None:
        async for records in self._ports.audio_log.follow():
            for record in records:
                if isinstance(record, Opened):
                    self._decoder.opened(record.session_id)
                    self._sessions[record.session_id] = LiveSession(
                        record, self._segmentation, self._ports, submit=self._decoder.submit, spawn=spawn, moved=self._settle
                    )
                elif live := self._sessions.get(record.session_id):
                    if isinstance(record, Revoked):
                        live.drop()
                        self._settle(live)
                        continue
                    if isinstance(record, Barred):
                        self._bar(live)
                        continue
                    if isinstance(record, Audio):
                        self._decoder.heard(record.session_id)
                    elif isinstance(record, Ended):
                        self._decoder.ending(record.session_id)
                    live.receive(record)
                    self._settle(live)
            await asyncio.sleep(pause(len(self._sessions)))

    def _bar(self, live: LiveSession) -> None:
        log.warning("session quarantined", session_id=live.session_id, **live.tracing.log_ids)
        self._ports.metrics.sessions_quarantined.inc()
        live.fail(Quarantined.session())
        self._settle(live)

    def _answer(self, answer: Answer) -> None:
        if live := self._sessions.get(answer.job.session_id):
            live.decoded(answer)
            self._settle(live)

    async def _report(self) -> None:
        """Let the scheduler plan, and gateways know how much room there is."""
        try:
            while True:
                self._ports.metrics.log_lag.set(seconds(self._ports.audio_log.lag()))
                self._ports.board.post(self._worker_id, self._decoder.look(sessions=len(self._sessions)))
                await asyncio.sleep(REPORT_EVERY)
        finally:
            self._ports.board.withdraw(self._worker_id)

    def _settle(self, live: LiveSession) -> None:
        """After a session moved: drop it if it is over, and let the loops look again."""
        if live.ended:
            self._decoder.cancel(live.session_id)
        if live.over and self._sessions.get(live.session_id) is live:
            del self._sessions[live.session_id]
            live.close()
            self._ports.metrics.log_lag.set(seconds(self._ports.audio_log.lag()))
            self._changed.set()
        self._listening.wake()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
