"""Telling callbacks that their jobs are over: at least once, whatever ends meanwhile, for the store has who is to be told.

Each message is claimed from the store for a while, sent, and settled. A courier that ends in between leaves its claim to run
out, and another one tells the same again: receivers know a job by its id.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from starling.core.backoff import jittered
from starling.core.errors import InvalidOption, StarlingError
from starling.core.jobs import Delivery, Job, JobSegment, JobStatus
from starling.core.tracing import unrecorded_headers
from starling.gateway.offers import Ability
from starling.gateway.recordings import views
from starling.gateway.recordings.ports import RecordingPorts
from starling.gateway.recordings.rendering import rendered
from starling.gateway.recordings.signature import HEADER, signature
from starling.protocols.deepgram import recorded
from starling.telemetry.logs import get_logger
from starling.telemetry.metrics import Metrics
from starling.telemetry.spans import NO_TRACER, SpanKind, SpanName, Tracer, log_ids

log = get_logger(__name__)

COURIERS: Final = 8
"""Messages under way at once: a callback that does not answer keeps one of them from the others, and no more."""

LOOK: Final = 1.0
"""Seconds between two looks for who is to be told; a look costs a query."""

FIRST: Final = 5.0
LONGEST: Final = 3600.0
"""Seconds between two attempts: twice as long each time."""

PASSED: Final = 200
BEYOND: Final = 300


class Couriers:
    """``run`` them for as long as the gateway runs. ``wall``: Unix seconds; ``pause``: how to wait between looks."""

    def __init__(
        self, ports: RecordingPorts, ability: Ability, metrics: Metrics, *, wall: Callable[[], float], tracer: Tracer = NO_TRACER
    ) -> None:
        self._tracer = tracer
        self._ports = ports
        self._ability = ability
        self._metrics = metrics
        self._wall = wall
        self._draw = random.SystemRandom().random

    async def run(self) -> None:
        """Tell whoever is to be told, until cancelled."""
        if not self._ports.options.allow_urls:
            return
        free = asyncio.Semaphore(COURIERS)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await free.acquire()
                try:
                    delivery = await self.next()
                except StarlingError as error:
                    log.warning("callbacks not looked for", code=error.code)
                    delivery = None
                if delivery is None:
                    free.release()
                    await asyncio.sleep(LOOK)
                    continue
                task = tasks.create_task(self._deliver(delivery), name="callback")
                task.add_done_callback(lambda _: free.release())

    async def next(self) -> Delivery | None:
        """Claim who is to be told next, for longer than an attempt takes."""
        return await self._ports.store.claim_delivery(now=self._wall(), lease=3 * self._ports.options.callback_timeout + 10)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            await self.deliver(delivery)
        except Exception:  # of one message: the others are told all the same, and this one again when its claim has run out
            log.exception("callback failed", job_id=delivery.job.job_id, trace_id=delivery.job.trace_id)

    async def deliver(self, delivery: Delivery) -> None:
        """One attempt."""
        job, options = delivery.job, self._ports.options
        outcome = await self._tell(delivery)
        retry_at = None
        if outcome != "told":
            if outcome != "barred" and delivery.attempt < options.callback_attempts:
                retry_at = self._wall() + jittered(delivery.attempt, first=FIRST, longest=LONGEST, draw=self._draw())
            else:
                self._metrics.callbacks.labels(outcome="given_up").inc()
                log.warning("callback given up", job_id=job.job_id, trace_id=job.trace_id, attempts=delivery.attempt)
        try:
            await self._ports.store.settle_delivery(delivery, told=outcome == "told", now=self._wall(), retry_at=retry_at)
        except StarlingError as error:  # its claim runs out, and it is told again
            log.warning("callback not settled", job_id=job.job_id, trace_id=job.trace_id, code=error.code)

    async def _tell(self, delivery: Delivery) -> str:
        """``told``, ``refused`` by who is there, ``failed`` for nobody there, or ``barred`` for where nobody may go any more."""
        job, options = delivery.job, self._ports.options
        callback = job.options.callback
        assert callback is not None
        span = self._tracer.below(job.span, SpanName.CALLBACK, kind=SpanKind.CLIENT)
        traced = unrecorded_headers(job.trace_id) if span.context is None else span.context.headers
        try:
            body = await self._message(job, callback.form)
            at = int(self._wall())
            headers = {"Content-Type": "application/json", "Starling-Job": job.job_id, "Starling-Attempt": str(delivery.attempt)}
            headers |= traced
            if secret := callback.secret or options.callback_secret:
                headers[HEADER] = signature(secret, body, at)
            async with asyncio.timeout(2 * options.callback_timeout):
                status = await self._ports.egress.post(callback.url, headers, body, idle=options.callback_timeout)
            span.set({"http.response.status_code": status})
            outcome = "told" if PASSED <= status < BEYOND else "refused"
        except InvalidOption:
            outcome = "barred"
        except (StarlingError, TimeoutError):
            outcome = "failed"
        if outcome != "barred":
            self._metrics.callbacks.labels(outcome=outcome).inc()
        span.set({"starling.job.id": job.job_id, "starling.attempt": delivery.attempt, "starling.outcome": outcome})
        span.end(error="" if outcome == "told" else outcome)
        ids = {"trace_id": job.trace_id, **log_ids(span.context)}
        log.info("callback", job_id=job.job_id, **ids, outcome=outcome, attempt=delivery.attempt)
        return outcome

    async def _message(self, job: Job, form: str) -> bytes:
        segments = await self._ports.store.segments(job.job_id) if job.status is JobStatus.DONE else ()
        return await rendered(segments, lambda: json.dumps(self._said(job, segments, form), ensure_ascii=False).encode())

    def _said(self, job: Job, segments: Sequence[JobSegment], form: str) -> dict[str, Any]:
        if form.partition("?")[0] == recorded.DIALECT:
            if job.status is JobStatus.DONE:
                return recorded.answer(job, segments, self._ability.capabilities, recorded.Shape.read(form))
            message = job.error.message if job.error is not None else f"the job was {job.status}"
            return {"request_id": recorded.request_id(job.job_id), "err_code": "INTERNAL_SERVER_ERROR", "err_msg": message}
        return {"event": "job.over", **views.result(job, None, segments).model_dump(mode="json")}
