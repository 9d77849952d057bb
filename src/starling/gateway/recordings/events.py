"""``GET /api/v1/asr/events/{task_id}``: a job as it goes on (server-sent events, WHATWG HTML section 9.2)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header
from starlette.requests import Request
from starlette.responses import Response

from starling.gateway.access import address_of
from starling.gateway.gateway import Gateway
from starling.gateway.recordings import views
from starling.gateway.recordings.desk import Desk
from starling.gateway.recordings.event_streams import MEDIA_TYPE, Event, event_stream
from starling.gateway.recordings.outflow import Outflow
from starling.gateway.recordings.problems import problems
from starling.gateway.recordings.views import SegmentView, TaskId, TaskView

HEARTBEAT: Final = b": still here\n\n"
RETRY: Final = b"retry: 2000\n\n"
PROGRESS: Final = Event(name="progress", data=TaskView, identified=True, description="something changed: the job as it is now")
SEGMENT: Final = Event(name="segment", data=SegmentView, identified=True, description="a segment is known")
END: Final = Event(name="end", data=TaskView, identified=True, description="the job is over, and so is the stream")
"""What there is. Each has an ``id``: how many segments were told with it and before it, which is ``Last-Event-ID`` to go on."""

LAST: Final = re.compile(r"\d{1,9}", re.ASCII)


def following(gateway: Gateway, desk: Desk) -> APIRouter:
    """The route by which jobs are followed."""
    router = APIRouter()

    @router.get(
        "/asr/events/{task_id}",
        response_class=Response,
        responses={
            **problems(),
            200: {
                "description": "events `progress`, `segment` and `end`",
                "content": event_stream("events with a count of segments as their `id`", (PROGRESS, SEGMENT, END)),
            },
        },
        summary="Follow a job",
    )
    async def events(
        task_id: TaskId,
        request: Request,
        last_event_id: Annotated[str, Header(description="of the last event that came: go on after it", max_length=40)] = "",
    ) -> Response:
        """`progress` when something changed, `segment` for each as soon as it is known, `end` when it is over."""
        principal = gateway.identify(request.headers, address_of(request))
        await desk.find(principal, task_id)
        held = ExitStack()
        held.enter_context(desk.streams.held(principal.tenant.name))
        after = int(last_event_id) if LAST.fullmatch(last_event_id) else 0
        return Outflow(
            _said(desk, task_id, after),
            idle=desk.options.idle_timeout,
            media_type=MEDIA_TYPE,
            headers={"X-Accel-Buffering": "no"},
            heartbeat=HEARTBEAT,
            every=desk.options.heartbeat,
            finished=held.close,
        )

    return router


async def _said(desk: Desk, task_id: str, after: int) -> AsyncIterator[bytes]:
    """The events of a job. After ``stream_timeout``, or when the server drains, they stop: clients come again by themselves."""
    yield RETRY
    try:
        async with asyncio.timeout(desk.options.stream_timeout), aclosing(desk.follow(task_id, after=after)) as steps:
            known: dict[str, Any] = {}
            async for step in steps:
                first = step.count - len(step.segments)
                for number, one in enumerate(step.segments, start=first):
                    yield event(SEGMENT, views.segment(number, one).model_dump(mode="json"), number + 1)
                position = await desk.store.position(task_id)
                state = views.task(step.job, position).model_dump(mode="json")
                if step.job.status.over or state != known:  # stores say too often that something may have changed
                    yield event(END if step.job.status.over else PROGRESS, state, step.count)
                known = state
                if desk.drained.is_set():
                    return
    except TimeoutError:
        return


def event(kind: Event, data: dict[str, Any], number: int) -> bytes:
    """One event. ``number``: segments that have been said with it and before it."""
    return f"event: {kind.name}\nid: {number}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()
