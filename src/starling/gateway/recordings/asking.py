"""The routes of ``/api/v1/asr`` by which jobs are asked for, retried and deleted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from starling.auth.tenants import Principal
from starling.core.errors import Conflict, InvalidOption
from starling.core.jobs import JobQuery, JobStatus
from starling.gateway.access import address_of
from starling.gateway.gateway import Gateway
from starling.gateway.recordings import views
from starling.gateway.recordings.desk import Desk
from starling.gateway.recordings.filenames import attachment, with_suffix
from starling.gateway.recordings.formats import MEDIA_TYPES, SUFFIXES, Format, written
from starling.gateway.recordings.problems import problems
from starling.gateway.recordings.rendering import rendered
from starling.gateway.recordings.views import TaskId

MAX_PAGE: Final = 200

FILES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "the job, or its text as a file",
        "content": {media.partition(";")[0]: {"schema": {"type": "string"}} for media in MEDIA_TYPES.values()},
    }
}


def only_known(request: Request) -> None:
    """Raises InvalidOption for a parameter that the route does not have: a filter that is misspelt would pass everything."""
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = [one.alias for one in route.dependant.query_params]
    for name in request.query_params:
        if name not in known:
            raise InvalidOption(
                f"expected {', '.join(known) or 'nothing'} behind the question mark, got {name[:40]!r}: leave it out"
            )


def asking(gateway: Gateway, desk: Desk) -> APIRouter:
    """The routes of ``desk``."""
    router = APIRouter(dependencies=[Depends(only_known)])

    def who(request: Request) -> Principal:
        return gateway.identify(request.headers, address_of(request))

    @router.get(
        "/asr/result/{task_id}", response_model=views.TaskResult, responses={**problems(409), **FILES}, summary="Where a job is"
    )
    async def result(
        task_id: TaskId,
        request: Request,
        form: Annotated[Format, Query(alias="format", description="`json` at any time, files once it is done")] = Format.JSON,
    ) -> Response:
        """How far a job is, and its text once it is done: with everything that is known, or as a file."""
        job = await desk.find(who(request), task_id)
        if form is Format.JSON:
            segments = await desk.store.segments(task_id) if job.status is JobStatus.DONE else ()
            position = await desk.store.position(task_id)
            body = await rendered(segments, lambda: views.result(job, position, segments).model_dump_json())
            return Response(body, media_type="application/json")
        if job.status is not JobStatus.DONE:
            raise Conflict(f"the job is {job.status}, and has a text once it is done: ask without format to see how far it is")
        name = attachment(with_suffix(job.recording.name, SUFFIXES[form]))
        said = await desk.store.segments(task_id)
        text = await rendered(said, lambda: written(form, said))
        return Response(text, media_type=MEDIA_TYPES[form], headers={"Content-Disposition": name})

    @router.get("/asr/history", responses=problems(), summary="Jobs, the newest first")
    async def history(  # noqa: PLR0917 - of a query, all have names
        request: Request,
        status: Annotated[list[JobStatus] | None, Query(description="those only; may come several times")] = None,
        search: Annotated[str, Query(max_length=200, description="in the name of the recording")] = "",
        since: Annotated[datetime | None, Query(description="submitted then or later")] = None,
        until: Annotated[datetime | None, Query(description="submitted before")] = None,
        tenant: Annotated[str | None, Query(max_length=64, description="for operators: of one tenant only")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        cursor: Annotated[str, Query(max_length=200, description="of the page before")] = "",
    ) -> views.History:
        """Your jobs, a page at a time. An operator sees everybody's."""
        query = JobQuery(
            tenant=None,
            statuses=tuple(status or ()),
            search=search,
            since=None if since is None else since.timestamp(),
            until=None if until is None else until.timestamp(),
            limit=limit,
            cursor=cursor,
        )
        page = await desk.history(who(request), query, tenant=tenant)
        return views.History(tasks=[views.task(job) for job in page.jobs], cursor=page.cursor)

    @router.post("/asr/retry/{task_id}", status_code=202, responses=problems(409, 410), summary="Do a job again")
    async def retry(task_id: TaskId, request: Request) -> views.Submitted:
        """Queue a job again that failed or was cancelled; it begins anew."""
        job = await desk.retry(who(request), task_id)
        return views.Submitted(task_id=task_id, status=job.status, position=await desk.store.position(task_id))

    @router.post("/asr/cancel/{task_id}", responses=problems(409), summary="Stop a job")
    async def cancel(task_id: TaskId, request: Request) -> views.Submitted:
        """Stop a job that is not over. It stays in the history, and can be retried."""
        job = await desk.stop(who(request), task_id)
        return views.Submitted(task_id=task_id, status=job.status, position=None)

    @router.delete("/asr/task/{task_id}", responses=problems(), summary="Forget a job")
    async def delete(task_id: TaskId, request: Request) -> views.Deleted:
        """Cancel a job if it is not over, and delete it with its recording and its text."""
        job = await desk.delete(who(request), task_id)
        return views.Deleted(task_id=task_id, status=job.status)

    @router.get("/asr/queue/status", responses=problems(), summary="What waits")
    async def queue(request: Request) -> views.QueueView:
        """Your jobs by their status; an operator sees everybody's."""
        return views.queue(await desk.state(who(request)))

    return router
