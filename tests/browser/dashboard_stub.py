"""The dashboard with an API that says what a test wants: the pages of the stub server, and answers made up in the browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Request, Route

Answer = tuple[int, Any]

STATUSES = ("queued", "running", "done", "failed", "cancelled")


def job(number: int, status: str = "done", **given: Any) -> dict[str, Any]:
    """One as ``/api/v1/asr/history`` has it."""
    over = status in {"done", "failed", "cancelled"}
    return {
        "task_id": f"{number:032x}",
        "status": status,
        "progress": {"done": 1.0, "running": 0.42}.get(status, 0.0),
        "position": None,
        "tenant": "acme",
        "priority": "normal",
        "created": "2026-02-03T09:00:00Z",
        "started": None if status == "queued" else "2026-02-03T09:00:01Z",
        "finished": "2026-02-03T09:00:11Z" if over else None,
        "attempts": 1,
        "name": f"talk {number}.wav",
        "size": 1_280_044,
        "media_type": "audio/wav",
        "codec": "pcm_s16le",
        "duration": 40.0,
        "channels": "mixed",
        "language": "en",
        "kept": True,
        "error": {"code": "corrupt_audio", "message": "the recording breaks off in its header", "retryable": False}
        if status == "failed"
        else None,
        **given,
    }


def problem(status: int, code: str, detail: str) -> Answer:
    return status, {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code, "retryable": False}


@dataclass
class Api:
    """``me``: None is a server without recordings. ``down``: nothing answers. ``refusal``: what everything else is answered."""

    me: dict[str, Any] | None = field(
        default_factory=lambda: {"tenant": "default", "operator": True, "keys": False, "max_bytes": 10**9, "max_duration": 43_200}
    )
    jobs: list[dict[str, Any]] = field(default_factory=list)
    points: int = 60
    down: bool = False
    refusal: Answer | None = None
    segments: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def install(self, page: Page) -> None:
        page.route("**/api/v1/**", self._answer)

    def _answer(self, route: Route, request: Request) -> None:
        parts = urlsplit(request.url)
        path = parts.path.removeprefix("/api/v1/")
        self.asked.append((request.method, path))
        if self.down:
            route.abort()
            return
        if path.startswith("asr/events/"):
            route.fulfill(status=200, content_type="text/event-stream", body=self._events(path.rpartition("/")[2]))
            return
        status, body = self.refusal or self._found(path, parse_qs(parts.query), request)
        route.fulfill(status=status, content_type="application/json", body=json.dumps(body))

    def _found(self, path: str, query: dict[str, list[str]], request: Request) -> Answer:
        simple: dict[str, Callable[[], Any]] = {
            "me": lambda: self.me,
            "asr/queue/status": lambda: {name: sum(one["status"] == name for one in self.jobs) for name in STATUSES},
            "stats/series": self._series,
            "stats": lambda: {
                "processes": {"gateway": {"cpu": 0.1, "memory": 87e6}},
                "errors_by_reason": {"sessions_refused": {"rate": 3}},
            },
        }
        if path == "me" and self.me is None:
            return problem(503, "store_unavailable", "this server serves live captions only")
        if path in simple:
            return 200, simple[path]()
        if path == "asr/history":
            return 200, self._page(query)
        return problem(404, "not_found", "no job of yours has this id")

    def _page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        search, begun, limit = (
            query["search"][0] if "search" in query else "",
            int(query.get("cursor", ["0"])[0]),
            int(query["limit"][0]),
        )
        found = [one for one in self.jobs if search in one["name"] and one["status"] in query.get("status", STATUSES)]
        more = begun + limit < len(found)
        return {"tasks": found[begun : begun + limit], "cursor": str(begun + limit) if more else ""}

    def _series(self) -> dict[str, Any]:
        at = [1_770_000_000.0 + 5 * number for number in range(self.points)]
        names = ("cpu", "memory", "sessions", "recognizers", "transcribers", "queued", "running", "live_audio", "recorded_audio")
        columns: dict[str, Any] = {name: [1.0] * self.points for name in (*names, "failures", "refusals")}
        columns["memory"] = [9e8] * self.points
        for name in ("final_p50", "final_p95", "final_p99", "partial_p95"):
            columns[name] = [None] * (self.points // 2) + [0.12] * (self.points - self.points // 2)
        return {"step": 5.0, "cores": 4, "memory_total": 16e9, "columns": {"at": at, **columns}}

    def _events(self, task_id: str) -> str:
        found = next(one for one in self.jobs if one["task_id"] == task_id)
        said = self.segments.get(task_id, [])
        lines = [f"event: segment\nid: {number}\ndata: {json.dumps(one)}\n\n" for number, one in enumerate(said, 1)]
        end = "end" if found["status"] in {"done", "failed", "cancelled"} else "progress"
        return "".join([*lines, f"event: {end}\nid: {len(said)}\ndata: {json.dumps(found)}\n\n"])
