"""``GET /api/v1/asr/audio/{task_id}``: a recording as it came, whole or a part of it (RFC 9110 section 14)."""

from __future__ import annotations

import re
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from starling.auth.passes import LIFETIME
from starling.auth.tenants import Principal
from starling.core.errors import RecordingGone
from starling.gateway.access import address_of
from starling.gateway.gateway import Gateway
from starling.gateway.recordings.desk import Desk
from starling.gateway.recordings.filenames import attachment
from starling.gateway.recordings.outflow import Outflow
from starling.gateway.recordings.problems import problem, problems
from starling.gateway.recordings.views import TaskId

RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
PLAYABLE: Final = re.compile(r"(audio|video)/[a-z0-9.+-]{1,80}", re.ASCII)
COOKIE: Final = "starling-pass"
UNKNOWN: Final = "application/octet-stream"

SAFETY: Final = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}
"""What a browser makes of it is a recording and nothing else, whatever is in it."""

BYTES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "the recording", "content": {UNKNOWN: {}, "audio/*": {}, "video/*": {}}},
    206: {"description": "the part of it that `Range` asked for", "content": {UNKNOWN: {}, "audio/*": {}, "video/*": {}}},
}


def playing(gateway: Gateway, desk: Desk) -> APIRouter:
    """The route of recordings."""
    router = APIRouter()

    @router.head("/asr/audio/{task_id}", include_in_schema=False)
    @router.get(
        "/asr/audio/{task_id}",
        response_class=Response,
        responses={**problems(410, 416), **BYTES},
        summary="The recording of a job",
    )
    async def audio(task_id: TaskId, request: Request) -> Response:
        """The recording as it came, for as long as it is kept. Understands `Range` with one range of bytes."""
        job = await desk.find(_listener(gateway, request, task_id), task_id)
        recording = job.recording
        if not recording.key:
            raise RecordingGone("the recording of this job is not kept any more")
        size = recording.size
        whole = request.method == "HEAD"  # a range is for GET only (section 14.2)
        span = (0, size) if whole else asked(request.headers.get("range"), size)
        if span is None:
            shown = {"Content-Range": f"bytes */{size}"}
            message = f"expected a range within the {size} bytes of the recording, got another"
            return problem(416, "range_not_satisfiable", message, retryable=False, headers=shown)
        start, end = span
        headers = {
            **SAFETY,
            "Accept-Ranges": "bytes",
            "Content-Disposition": attachment(recording.name),
            "Content-Length": str(end - start),
        }
        partial = (start, end) != (0, size)
        if partial:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        media_type = recording.media_type if PLAYABLE.fullmatch(recording.media_type) else UNKNOWN
        if whole:
            return Response(media_type=media_type, headers=headers)
        return Outflow(
            desk.recordings.read(recording.key, start=start, end=end),
            idle=desk.options.idle_timeout,
            media_type=media_type,
            status=206 if partial else 200,
            headers=headers,
        )

    @router.post("/asr/audio/{task_id}/pass", status_code=204, responses=problems(), summary="Let a page play a recording")
    async def let_play(task_id: TaskId, request: Request, response: Response) -> None:
        """A cookie that stands for the key of this request at this recording and nowhere else, for an hour.

        A browser's player can send no key. Where the server asks for none, there is no cookie either.
        """
        principal = gateway.identify(request.headers, address_of(request))
        await desk.find(principal, task_id)
        passed = gateway.access.issue_pass(principal, task_id)
        if passed is not None:
            response.set_cookie(
                COOKIE,
                passed,
                max_age=LIFETIME,
                path=request.url.path.removesuffix("/pass"),
                secure=request.url.scheme == "https",
                httponly=True,
                samesite="strict",
            )

    return router


def _listener(gateway: Gateway, request: Request, task_id: str) -> Principal:
    """A key counts before a pass."""
    passed = request.cookies.get(COOKIE)
    if passed is None or "authorization" in request.headers:
        return gateway.identify(request.headers, address_of(request))
    return gateway.identify_listener(request.headers, passed, task_id, address_of(request))


def asked(header: str | None, size: int) -> tuple[int, int] | None:
    """From and up to which of ``size`` bytes ``header`` asks for; all where it asks for nothing known. None: there are none."""
    found = RANGE.fullmatch(header.strip()) if header else None
    if found is None or found.group(1) == found.group(2) == "":
        return 0, size
    first, last = found.group(1), found.group(2)
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return 0, size  # section 14.1.1: an invalid range is ignored
    return (start, end) if start < end else None
