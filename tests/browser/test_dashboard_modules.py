"""The dashboard's pure modules, run where they will run: in a browser."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

properties = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def call(page: Page, module: str, expression: str, given_value: Any = None) -> Any:
    """``expression`` with what ``module`` exports as ``m``, and ``x`` for ``given_value``."""
    return page.evaluate(
        f"async (x) => {{ const m = await import('/dashboard/{module}.js'); return {expression}; }}", given_value
    )


class TestAxes:
    @properties
    @given(value=st.floats(1e-6, 1e12))
    def test_reach_above_what_was_measured_but_not_far(self, modules: Page, value: float) -> None:
        top = call(modules, "scale", "m.ceiling(x)", value)
        assert value * (1 - 1e-9) <= top <= value * 2.0001

    def test_never_make_little_look_like_much(self, modules: Page) -> None:
        assert call(modules, "scale", "m.top([[0, null, 0.01]], 4)") == 4
        assert call(modules, "scale", "m.top([[], [null]], 4)") == 4
        assert call(modules, "scale", "m.top([[0, 7]], 4)") == 10

    @properties
    @given(
        st.lists(st.tuples(st.floats(0.1, 60), st.one_of(st.none(), st.floats(0, 50))), max_size=30),
    )
    def test_lines_stay_within_and_break_where_nobody_knows(self, modules: Page, steps: list[tuple[float, float | None]]) -> None:
        times, at = [], 0.0
        for step, _ in steps:
            at += step
            times.append(at)
        values = [value for _, value in steps]
        shape = {"from": max(0.0, at - 900), "until": at or 1.0, "most": 25, "width": 240, "height": 64, "gap": 17.5}
        found = call(modules, "scale", "m.pieces(x.times, x.values, x.shape)", {"times": times, "values": values, "shape": shape})
        assert sum(len(piece) for piece in found) == sum(value is not None for value in values)
        assert all(-1e-6 <= x <= 240 + 1e-6 and 0 <= y <= 64 for piece in found for x, y in piece)
        assert all(before[0] < after[0] for piece in found for before, after in pairwise(piece))
        gaps = [after[0] - before[0] for piece in found for before, after in pairwise(piece)]
        assert all(gap <= 17.5 * 240 / (shape["until"] - shape["from"]) + 1e-6 for gap in gaps)

    @properties
    @given(times=st.lists(st.floats(0, 1000), min_size=1, max_size=20, unique=True).map(sorted), at=st.floats(-10, 1010))
    def test_the_point_under_the_pointer_is_the_nearest(self, modules: Page, times: list[float], at: float) -> None:
        found = call(modules, "scale", "m.nearest(x.times, x.at)", {"times": times, "at": at})
        assert abs(times[found] - at) == min(abs(time - at) for time in times)


class TestHistory:
    @properties
    @given(cuts=st.lists(st.integers(1, 60), min_size=1, max_size=8))
    def test_is_the_same_in_whatever_pieces_it_comes(self, modules: Page, cuts: list[int]) -> None:
        total = sum(cuts)
        times = [1000.0 + 5 * number for number in range(total)]
        pieces, begun = [], 0
        for cut in cuts:
            columns = {"at": times[begun : begun + cut], "cpu": [time / 2 for time in times[begun : begun + cut]]}
            pieces.append({"step": 5, "columns": columns})
            begun += cut
        script = "x.reduce((h, piece) => (h.add(piece), h), new m.History())"
        kept = call(modules, "history", f"((h) => [h.times, h.column('cpu'), h.last])({script})", pieces)
        wanted = [time for time in times if time >= times[-1] - 905]
        assert kept == [wanted, [time / 2 for time in wanted], times[-1]]

    def test_begins_anew_when_the_servers_clock_was_set_back(self, modules: Page) -> None:
        pieces = [{"step": 5, "columns": {"at": [1000, 1005]}}, {"step": 5, "columns": {"at": [500]}}]
        assert call(modules, "history", "x.reduce((h, piece) => (h.add(piece), h), new m.History()).times", pieces) == [500]


class TestWords:
    @properties
    @given(
        starts=st.lists(st.integers(0, 200), max_size=40),
        at=st.integers(0, 220),
        cut=st.integers(0, 40),
    )
    def test_the_one_that_is_heard_is_found(self, modules: Page, starts: list[int], at: int, cut: int) -> None:
        ordered = [{"start": start / 10, "end": start / 10 + 0.1} for start in starts[:cut]]
        later = [{"start": start / 10, "end": start / 10 + 0.1} for start in sorted(starts[cut:])]
        first = sorted(ordered, key=lambda word: word["start"])
        script = """((w) => {
          w.add(x.first);
          w.add(x.later);
          return [w.at(x.at)?.start ?? null, w.step(x.at, 1)?.start ?? null];
        })(new m.Words())"""
        heard, after = call(modules, "words", script, {"first": first, "later": later, "at": at / 10})
        before = [start / 10 for start in starts if start <= at]
        assert heard == (max(before) if before else None)
        following = sorted(start / 10 for start in starts if start > at)
        assert after == (following[0] if following else max((start / 10 for start in starts), default=None))


class TestEvents:
    SAID = (
        'retry: 2000\n\nevent: segment\nid: 1\ndata: {"text":"h\u00e9"}\n\n: still here\n\n'
        "event: end\r\nid: 2\r\ndata: a\r\ndata: b\r\n\r\n"
    )

    @properties
    @given(cuts=st.lists(st.integers(0, len(SAID)), max_size=6).map(sorted))
    def test_are_the_same_however_the_stream_is_cut(self, modules: Page, cuts: list[int]) -> None:
        edges = [0, *cuts, len(self.SAID)]
        chunks = [self.SAID[begin:end] for begin, end in pairwise(edges)]
        found = call(modules, "sse", "((e) => x.flatMap((chunk) => e.feed(chunk)))(new m.Events())", chunks)
        assert found == [
            {"event": "segment", "data": '{"text":"h\u00e9"}', "id": "1"},
            {"event": "end", "data": "a\nb", "id": "2"},
        ]


def test_pages_lead_back_the_way_they_came(modules: Page) -> None:
    said = call(
        modules,
        "pages",
        """((p) => {
          const seen = [p.cursor];
          p.newer(); p.older(); seen.push(p.number);
          p.next = "a"; p.older(); seen.push(p.cursor, p.hasOlder);
          p.next = "b"; p.older(); seen.push(p.cursor, p.number);
          p.newer(); seen.push(p.cursor, p.hasOlder); p.first(); seen.push(p.cursor);
          return seen;
        })(new m.Pages())""",
    )
    assert said == ["", 1, "a", False, "b", 3, "a", False, ""]


def test_numbers_are_for_people(modules: Page) -> None:
    assert call(modules, "units", "[0, 1, 999_500, 1e6, 792_113_152, 25.3e9].map(m.bytes)") == [
        "0 kB",
        "1 kB",
        "1000 kB",
        "1 MB",
        "792 MB",
        "25.3 GB",
    ]
    assert call(modules, "units", "[0.0123, 0.5, 1, 12.34].map(m.latency)") == ["12 ms", "500 ms", "1 s", "12.3 s"]
    assert call(modules, "units", "[0, 9.96, 60, 3900, 7200].map(m.span)") == ["0 s", "9.96 s", "1 min", "1 h 5 min", "2 h"]
    days = "[new Date(2026, 1, 3, 9, 5), new Date(2026, 1, 2, 23, 59), new Date(2025, 11, 31)]"
    assert call(modules, "units", f"{days}.map((day) => m.moment(day, new Date(2026, 1, 3, 10)))") == [
        "09:05",
        "2 Feb, 23:59",
        "31 Dec 2025, 00:00",
    ]


def test_attempts_come_ever_later(modules: Page) -> None:
    assert call(modules, "poll", "[0, 1, 2, 3, 4, 9].map((failures) => m.wait(1500, failures))") == [
        1500,
        2000,
        4000,
        8000,
        15_000,
        15_000,
    ]


def test_what_may_be_missing_in_a_text_is_said(modules: Page) -> None:
    job = {
        "status": "done",
        "error": None,
        "warnings": [{"code": "gaps", "message": "2 pieces"}, {"code": "x", "message": "more"}],
    }
    assert call(modules, "job", "m.trouble(x)", job) == {"title": "About this recording", "detail": "2 pieces. More."}
    assert call(modules, "job", "m.trouble(x)", job | {"warnings": []}) is None


@pytest.mark.parametrize(
    ("status", "kept", "verbs"),
    [
        ("queued", True, ["cancel", "delete"]),
        ("running", True, ["cancel", "delete"]),
        ("done", True, ["delete"]),
        ("failed", True, ["retry", "delete"]),
        ("failed", False, ["delete"]),
        ("cancelled", True, ["retry", "delete"]),
    ],
)
def test_only_what_works_is_offered(modules: Page, status: str, verbs: list[str], *, kept: bool) -> None:
    assert call(modules, "job", "m.actions(x)", {"status": status, "kept": kept}) == verbs


@pytest.mark.parametrize(
    "body", ["not json", "[]", "null", json.dumps({"detail": 1}), json.dumps({"code": "conflict", "detail": "too late"})]
)
def test_every_refusal_is_put_in_words(modules: Page, body: str) -> None:
    script = """(async () => {
      const { explain } = await import('/dashboard/problems.js');
      return explain(await m.refusal(409, '2', () => JSON.parse(x)));
    })()"""
    said = call(modules, "api", f"await {script}", body)
    assert said["title"]
    assert said["detail"].endswith(".")
    assert said["final"] is False


@pytest.mark.parametrize("code", ["corrupt_audio", "frame_too_large"])
def test_what_would_be_refused_again_is_not_offered_again(modules: Page, code: str) -> None:
    said = call(modules, "problems", "m.explain({ code: x, detail: 'expected a recording' })", code)
    assert said["final"] is True
