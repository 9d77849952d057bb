from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from bench.hotwords import Tally, table
from bench.latency import Latencies
from bench.machine import Machine, Usage
from bench.page import replaced, section, write
from bench.ramp import summary
from bench.scoring import Errors

from starling.client.load.running import Outcome

MACHINE = asdict(
    Machine(date="2030-01-01", cpu="CPU", cores=2, memory_gb=8.0, system="Linux", python="3.11", onnxruntime="1", commit="abc")
)
USAGE = Usage(seconds=10.0, server=0.5, generator=0.0, others=0.01, load=(0.0, 0.0), roles={"gateway": 0.1, "recognizers": 0.4})
STEP = asdict(
    summary(
        Latencies(first=[0.2], partial=[0.1], compute=[], settled=[]),
        streams=4,
        seconds=10.0,
        lateness=[],
        refused=0,
        failed=0,
        memory={"gateway": 100.0, "recognizers": 200.0},
        usage=USAGE,
    )
)


def test_tables_say_what_was_measured_and_on_what() -> None:
    written = section("streams-read", {"machine": MACHINE, "limit": 4, "steps": [STEP], "rated": STEP, "settings": ["A=1"]})
    assert "**4 streams** hold" in written
    assert (
        "| 4 | 200 / 200 | 100 / 100 / 100 | 0.03 | - / - / - | - | 0.1250 | gateway 0.10, recognizers 0.40 | 300 | 0.00 | 0.01 |"
        in written
    )
    assert "commit abc, CPU, 2 cores" in written
    assert "settings A=1" in written


def test_a_ratio_needs_a_peer_that_holds() -> None:
    contest = {"starling": {"limit": 8, "steps": []}, "moonshine_voice": {"limit": 2, "steps": []}}
    assert "ratio **4.0**" in section("peers-read", {"machine": MACHINE, **contest})
    contest["moonshine_voice"]["limit"] = 0
    assert "no ratio" in section("peers-read", {"machine": MACHINE, **contest})


def test_recordings_have_a_table() -> None:
    outcome = {"jobs": 9, "results": 9, "lost": 0, "twice": 0, "wrong": 0, "killed": {"scribe": 2}, "attempts": {"1": 8, "2": 1}}
    written = section("jobs", {"machine": MACHINE, "plan": {"clients": 3}, "outcome": outcome})
    assert "| 9 | 3 | 2 scribes | 9 | 0 | 0 | 0 | 2 |" in written


def test_what_killed_processes_overload_and_churn_came_to_have_tables() -> None:
    blow = {"at": 1.0, "blow": "kill", "role": "worker", "recovered": 0.2, "late": 0.1, "gone": 0.05}
    chaos = {
        "sessions": 4,
        "finals": 9,
        "refused": 0,
        "wrong": [],
        "failed": ["lost"],
        "struck": [blow, {**blow, "gone": None}],
        "cuts": 3,
    }
    written = section("chaos", {"machine": MACHINE, **chaos})
    assert "| worker | kill | 2 | 50 / 50 | 200 / 200 | 100 / 100 |" in written
    assert "3 connections cut: 0 transcripts changed, 1 sessions failed" in written
    phase = {"wanted": 8, "admitted": 4, "failed": [], "wrong": [], "late": [0.3], "refusals": {"engine": 5}, "unexplained": 0}
    assert "| twice | 8 | 4 | 0 | 0 | 300 / 300 | 5 | 0 |" in section("overload", {"machine": MACHINE, "twice": phase})
    held = {"resident_kb": 2048, "private_kb": 1024, "files": 7, "threads": 1}
    written = section("churn", {"machine": MACHINE, "looks": [{"sessions": 10, "held": {"gateway": held}}]})
    assert "| 10 | gateway | 1.0 | 2.0 | 7 | 1 |" in written


def test_results_that_are_no_table_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("words\n")
    (tmp_path / "noise.json").write_text("{}")
    write(tmp_path, page)
    assert page.read_text() == "words\n"
    assert "noise.json" in capsys.readouterr().err


def test_qualities_and_hot_words_have_tables() -> None:
    rates = {"percent": 12.34, "low": 10.0, "high": 15.0}
    row = {"quality": "best", "all": rates, "clear": rates, "cpu": 0.0312, "ratio": 2.5}
    assert "| best | 12.3 [10.0-15.0] | 12.3 [10.0-15.0] | 31.2 | 2.50 |" in section(
        "quality", {"machine": MACHINE, "rows": [row]}
    )
    tallies = {"none": Tally(rare=10, found=6, words=100, cpu=2.0, counted=[Errors(2, 10)])}
    tallies["own + 0"] = Tally(rare=10, found=8, words=100, cpu=2.2, inserted=1, counted=[Errors(1, 10)])
    written = section("hotwords", {"machine": MACHINE, "quality": "best", "weight": 1.0, "rows": list(table(tallies))})
    assert "| own + 0 | 20.0 % | 50 % | 1.00 % | 10.0 % | 1.10 |" in written


def test_protocols_stand_beside_the_native_one() -> None:
    outcome = Outcome(cpu=[{"gateway": 0.5, "worker": 1.5}], spoken=[20.0])
    outcome.latencies.first.append(0.25)
    found = {"streams": 8, "rounds": 3, "edge": {"riva": 1.5}, "protocols": {"riva": outcome.as_json()}}
    written = section("protocols", {"machine": MACHINE, **found})
    assert "8 speakers in each protocol by turns, 3 rounds" in written
    assert "| riva | 250 / 250 | - / - | 0.1000 | 0.0250 | 1.50 | 0 |" in written


def test_only_what_is_between_the_markers_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- soak -->\nold\n<!-- /soak -->\nafter\n", encoding="utf-8")
    soak = {"machine": MACHINE, "sessions": 9, "streams": 2, "growth_percent": 0.5, "memory": [[0, 300], [60, 301]]}
    (tmp_path / "soak.json").write_text(json.dumps(soak), encoding="utf-8")
    write(tmp_path, page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- soak -->\n")
    assert text.endswith("<!-- /soak -->\nafter\n")
    assert "grew by **0.50 %**" in text
    assert "old" not in text


def test_a_result_without_a_place_is_an_error() -> None:
    with pytest.raises(ValueError, match="<!-- soak -->"):
        replaced("no markers here", "soak", "table")


def test_what_several_hosts_came_to_has_tables() -> None:
    ended = {"finals": 9, "wrong": [], "failed": ["session 1: gone"], "refused": 0, "sessions": 4}
    about = {"machine": MACHINE, "usage": asdict(USAGE)}
    move = {"name": "join", "at": 1.0, "settled": 0.5, "pauses": [0.1, 0.1]}
    assert "| join | 0.5 | 100 / 100 |" in section("rebalance-kafka", {**about, **ended, "moves": [move]})
    way = {"taken": [1.5], "first": [1.8], "fenced": [8], "late": [2.0], "finals": 9, "wrong": [], "failed": ["session 1: gone"]}
    parted = section("parted", {**about, "sessions": 4, "ways": {"redis: silent": way}})
    assert "| redis: silent | 1 | 1500 / 1500 | 1800 / 1800 | 8 | 2000 / 2000 | 9 | 1 |" in parted
    passage = {"cpu": 4.0, "gateway": 1.0, "recognizer": 1.0, "servers": 2.0, "p50": 3.0, "p95": 5.0, "cold_p95": 9.0}
    bus = {"streams": 4, "chunk_ms": 100, "tax_ms": {"redis": 2.5}, "ways": {"shared": passage, "redis": passage}}
    written = section("bus", {**about, **bus})
    assert "| shared | 4.00 | 1.00 | 1.00 | 2.00 | 3.00 | 5.00 | 9.00 | - |" in written
    assert "5.00 | 9.00 | 2.50 |" in written
    carried = {"per_core": 1500.0, "streams_per_core": 150.0, "gateway": 300.0, "recognizer": 250.0, "servers": 110.0}
    logs = section("throughput", {**about, "streams": 4, "chunk_ms": 100, "logs": {"redis": carried}})
    assert "| redis | 1500 | 150 | 300 | 250 | 110 |" in logs
