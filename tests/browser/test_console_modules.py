"""The console's pure modules, run where they will run: in a browser."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from starling.core.errors import Overloaded, StarlingError

pytestmark = pytest.mark.browser

properties = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

TIME_LINE = re.compile(r"(\d\d):([0-5]\d):([0-5]\d),(\d{3}) --> (\d\d):([0-5]\d):([0-5]\d),(\d{3})")


@dataclass(frozen=True)
class Cue:
    number: int
    start: int
    end: int
    lines: list[str]


def parse_srt(text: str) -> list[Cue]:
    cues = []
    for block in text.removesuffix("\n").split("\n\n") if text else []:
        number, times, *lines = block.split("\n")
        match = TIME_LINE.fullmatch(times)
        assert match is not None, times
        h1, m1, s1, ms1, h2, m2, s2, ms2 = (int(part) for part in match.groups())
        cues.append(Cue(int(number), ((h1 * 60 + m1) * 60 + s1) * 1000 + ms1, ((h2 * 60 + m2) * 60 + s2) * 1000 + ms2, lines))
    return cues


texts = st.text(st.sampled_from("ab \n\u00e9-\u4e2d>"), max_size=200).filter(str.strip)
positions = st.integers(0, 20_000).map(lambda value: value / 1000)
spoken = st.lists(st.tuples(positions, positions, texts), max_size=6)


def takes(of: list[list[tuple[float, float, str]]]) -> list[dict[str, Any]]:
    made = []
    for segments in of:
        ordered = sorted(segments, key=lambda one: min(one[:2]))
        said = [{"start": min(a, b), "end": max(a, b), "text": text} for a, b, text in ordered]
        made.append({"title": "take", "spoken": said, "duration": max((max(a, b) for a, b, _ in ordered), default=0)})
    return made


class TestSubtitles:
    @properties
    @given(of=st.lists(spoken, max_size=3))
    def test_are_numbered_never_overlap_and_lose_no_word(self, modules: Page, of: list[list[tuple[float, float, str]]]) -> None:
        given_takes = takes(of)
        cues = parse_srt(modules.evaluate("async (takes) => (await import('/export.js')).toSrt(takes)", given_takes))
        assert [cue.number for cue in cues] == list(range(1, len(cues) + 1))
        assert all(cue.start < cue.end for cue in cues)
        assert all(before.end <= after.start for before, after in pairwise(cues))
        assert all(1 <= len(cue.lines) <= 2 for cue in cues)
        said = [word for take in given_takes for one in take["spoken"] for word in one["text"].replace("-->", "->").split()]
        assert " ".join(line for cue in cues for line in cue.lines).split() == said

    def test_times_are_hours_minutes_seconds_comma_milliseconds(self, modules: Page) -> None:
        moments = [0, 1, 61_001, 3_599_999, 360_000_000]
        times = modules.evaluate("async (moments) => moments.map((await import('/export.js')).srtTime)", moments)
        assert times == ["00:00:00,000", "00:00:00,001", "00:01:01,001", "00:59:59,999", "100:00:00,000"]

    def test_a_long_segment_is_shared_out_over_its_time(self, modules: Page) -> None:
        segment = {"text": "word " * 60, "start": 10.0, "end": 40.0}
        cues = modules.evaluate("async (segment) => (await import('/export.js')).cues(segment)", segment)
        assert len(cues) == 4
        assert (cues[0]["start"], cues[-1]["end"]) == (10.0, 40.0)
        assert all(before["end"] == after["start"] for before, after in pairwise(cues))
        assert all(len(line) <= 42 for cue in cues for line in cue["lines"])


class TestText:
    def test_one_take_is_its_lines(self, modules: Page) -> None:
        text = modules.evaluate(
            "async (takes) => (await import('/export.js')).toText(takes)", takes([[(0, 1, "a\nb"), (2, 3, "c")]])
        )
        assert text == "a b\nc\n"

    def test_several_takes_stand_under_their_titles(self, modules: Page) -> None:
        several = takes([[(0, 1, "a")], [], [(0, 1, "b")]])
        assert (
            modules.evaluate("async (takes) => (await import('/export.js')).toText(takes)", several) == "take\n\na\n\ntake\n\nb\n"
        )


results: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.builds(
        dict,
        segment_id=st.integers(0, 2),
        version=st.integers(0, 4),
        is_final=st.booleans(),
        text=st.sampled_from(["", " ", "a", "a b", "b"]),
        stable_text=st.sampled_from(["", "a", "a b", "x"]),
        start=st.just(0.5),
        end=st.just(1.0),
    ),
    max_size=25,
)

APPLY = """async (results) => {
  const { Take } = await import("/captions.js");
  const take = new Take({ id: 1, title: "", began: new Date() });
  take.resume(10);
  return results.map((result) => ({ change: take.apply(result), shown: [...take.segments.values()] }));
}"""


class TestTake:
    @properties
    @given(frames=results)
    def test_versions_only_grow_and_nothing_follows_a_final(self, modules: Page, frames: list[dict[str, Any]]) -> None:
        versions: dict[int, int] = {}
        over: set[int] = set()
        for frame, step in zip(frames, modules.evaluate(APPLY, frames), strict=True):
            segment, change = frame["segment_id"], step["change"]
            if segment in over or frame["version"] <= versions.get(segment, -1):
                assert change is None
                continue
            if frame["is_final"]:
                over.add(segment)
            if change is None:
                assert not frame["text"].strip()
                continue
            versions[segment] = frame["version"]
            shown = change["segment"]
            assert change["kind"] == (("settled" if frame["text"].strip() else "removed") if frame["is_final"] else "updated")
            if change["kind"] != "removed":
                assert shown["text"].startswith(shown["stable"])
                assert shown["start"] == 10.5

    def test_interrupted_words_are_kept_and_can_be_dropped(self, modules: Page) -> None:
        kinds = modules.evaluate(
            """async () => {
              const { Take } = await import("/captions.js");
              const take = new Take({ id: 1, title: "", began: new Date() });
              const result = { version: 0, stable_text: "", start: 0, end: 1 };
              take.apply({ ...result, segment_id: 0, is_final: true, text: "done" });
              take.apply({ ...result, segment_id: 1, start: 1, end: 2, is_final: false, text: "half a" });
              const texts = () => take.spoken.map(({ text }) => text);
              const seen = [take.interrupt()[0].kind, texts(), take.settledUntil, take.forgetInterrupted()[0].kind, texts()];
              return seen;
            }"""
        )
        assert kinds == ["settled", ["done", "half a"], 1, "removed", ["done"]]


class TestSession:
    def test_every_event_without_a_row_is_refused(self, modules: Page) -> None:
        table, refused = modules.evaluate(
            """async () => {
              const { TRANSITIONS, next } = await import("/session.js");
              const events = [...new Set(Object.values(TRANSITIONS).flatMap(Object.keys))];
              const refused = [];
              for (const state of Object.keys(TRANSITIONS)) for (const event of events) {
                try { next(state, event); } catch { refused.push([state, event]); }
              }
              return [TRANSITIONS, refused];
            }"""
        )
        targets = {target for row in table.values() for target in row.values()}
        assert targets <= table.keys()
        assert {state for state, row in table.items() if not row} == {"closed", "failed"}
        assert ["closed", "lost"] in refused
        assert ["idle", "end"] in refused
        assert not any(event in table[state] for state, event in refused)

    def test_audio_waits_for_the_socket_but_not_for_ever(self, modules: Page) -> None:
        sent, states = modules.evaluate(
            """async () => {
              const { StreamSession } = await import("/session.js");
              const states = [];
              const emit = (message) => states.push(message.state ?? message.type);
              const connect = () => ({ bufferedAmount: 0, close() {} });
              const session = new StreamSession({ url: "", start: {}, emit, connect });
              session.connect();
              let sent = 0;
              while (session.send(new ArrayBuffer(3200))) sent += 3200;
              return [sent, states];
            }"""
        )
        assert sent == 960_000
        assert states == ["connecting", "failed", "lost"]


LATENCY = """async (events) => {
  const { Latency } = await import("/latency.js");
  const latency = new Latency();
  return events.map(([what, at, now]) => {
    if (what === "force") { latency.force(now); return null; }
    if (what === "heard") { latency.heard(at, now); return null; }
    return latency.take(at, now);
  });
}"""


def test_latency_counts_from_the_sound_and_tells_the_pause_apart(modules: Page) -> None:
    result = {"type": "result", "segment_id": 0, "text": "so", "start": 0.5, "end": 0.9, "is_final": False}
    events = [
        *(["heard", (i + 1) / 10, 100 + (i + 1) / 10] for i in range(20)),
        ["take", {"type": "speech_started", "at": 0.5}, 100.9],
        ["take", result, 101.0],
        ["take", result | {"end": 1.0}, 101.1],
        ["take", {"type": "speech_ended", "at": 1.25}, 101.75],
        ["take", result | {"is_final": True, "end": 1.25}, 101.85],
    ]
    _, first, second, _, final = modules.evaluate(LATENCY, events)[-5:]
    assert first == {"firstWords": pytest.approx(0.5)}
    assert second is None
    assert final == {"final": pytest.approx(0.6), "wait": pytest.approx(0.5)}


def test_a_final_that_the_user_forced_has_no_latency(modules: Page) -> None:
    final = {"type": "result", "text": "so", "start": 0.2, "is_final": True}
    events = [
        *(["heard", (i + 1) / 10, 100 + (i + 1) / 10] for i in range(30)),
        ["take", {"type": "speech_ended", "at": 0.5}, 100.9],
        ["force", None, 101.0],
        ["take", final | {"segment_id": 0, "end": 0.5}, 101.1],
        ["take", final | {"segment_id": 1, "end": 1.0}, 101.3],
        ["take", {"type": "speech_ended", "at": 2.0}, 102.5],
        ["take", final | {"segment_id": 2, "end": 2.0}, 102.6],
    ]
    paused, forced, _, after = modules.evaluate(LATENCY, events)[-4:]
    assert forced is None
    assert paused == {"final": pytest.approx(0.6), "wait": pytest.approx(0.4)}
    assert after == {"final": pytest.approx(0.6), "wait": pytest.approx(0.5)}


def test_latency_of_sound_no_longer_remembered_is_not_made_up(modules: Page) -> None:
    events = [["heard", i / 10, 100 + i / 10] for i in range(100, 800)]
    final = {"type": "result", "segment_id": 0, "text": "so", "start": 0, "end": 1, "is_final": True}
    assert modules.evaluate(LATENCY, [*events, ["take", final, 190]])[-1] is None


def test_attempts_come_ever_later_and_end(modules: Page) -> None:
    waits = modules.evaluate(
        """async () => {
          const { Backoff } = await import("/reconnect.js");
          const backoff = new Backoff();
          return Array.from({ length: 23 }, () => backoff.next());
        }"""
    )
    assert waits == [1, 2, 4, 8, *[15] * 18, None]


def test_samples_are_clipped_and_mixed_down(modules: Page) -> None:
    pcm = modules.evaluate(
        """async () => {
          const { mixDown, toPcm16 } = await import("/pcm.js");
          return [...toPcm16(mixDown([Float32Array.of(0, 1, -1, 3, 0.5), Float32Array.of(0, 1, -1, 3, -0.5)]))];
        }"""
    )
    assert pcm == [0, 32767, -32768, 32767, 0]


def test_levels_go_from_silence_to_loud(modules: Page) -> None:
    quiet, middle, loud = modules.evaluate(
        "async () => (await import('/pcm.js')).levels(Int16Array.from([0, 0, 1036, -1036, 32767, -32768]), 3)"
    )
    assert (quiet, loud) == (0, 1)
    assert middle == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "null",
        "[1]",
        "not json",
        json.dumps({"vad": "loud", "partial_interval_ms": 1, "language": "<b>", "theme": "sepia", "x": 1}),
    ],
)
def test_settings_that_make_no_sense_are_left_out(modules: Page, stored: str) -> None:
    options = modules.evaluate(
        """async (stored) => {
          const { Settings } = await import("/settings.js");
          const kept = { getItem: () => stored, setItem() { throw new Error("full"); } };
          const settings = new Settings(kept);
          const before = settings.options;
          return [before, settings.get("theme"), settings.set("vad", "off"), settings.set("vad", "loud"), settings.options];
        }""",
        stored,
    )
    assert options == [{}, None, True, False, {"vad": "off"}]


def every_error(kind: type[StarlingError] = StarlingError) -> list[type[StarlingError]]:
    return [kind, *(error for child in kind.__subclasses__() for error in every_error(child))]


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_server_is_put_in_words(modules: Page, kind: type[StarlingError]) -> None:
    error: dict[str, Any] = {"code": kind.code, "message": "expected this, got that", "retryable": kind.retryable}
    if kind is Overloaded:
        error["retry_after"] = 2.5
    failure = {"stage": "connection", "opened": True, "code": kind.close_code, "reason": "", "error": error}
    explain = "async (failure) => (await import('/explain.js')).explain(failure)"
    said = modules.evaluate(explain, failure)
    assert said["title"]
    assert "expected this, got that" in said["detail"]
    assert said["wait"] == (2.5 if kind is Overloaded else 0)
    assert said["retry"] or not kind.retryable
    without_frame = modules.evaluate(explain, failure | {"error": None})
    assert without_frame["title"]
    assert without_frame["retry"]
