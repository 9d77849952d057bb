"""Speakers in real time: what counts as soon, what counts as lost, in every protocol."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.gateway_harness import END, START, Served, hear, run, served, until
from starling.client.load.line import Place
from starling.client.load.running import Load, Outcome, compare, spread
from starling.client.load.turns import Ear, Latencies, speech, spoken
from starling.client.load.usage import cpu_seconds, parsed, spent
from starling.client.pacing import CHUNK
from starling.core.audio import SAMPLE_RATE, Samples
from starling.gateway.options import GatewayOptions
from starling.protocols import dialects
from starling.protocols.registry import DIALECTS

NAMES = ["native", *(dialect.name for dialect in DIALECTS)]


def noise(seconds: float, *, before: float = 0.0, after: float = 0.0) -> Samples:
    """Something loud between two silences."""
    loud = np.random.default_rng(1).integers(-8000, 8000, round(seconds * SAMPLE_RATE)).astype(np.int16)
    return np.concatenate([np.zeros(round(before * SAMPLE_RATE), np.int16), loud, np.zeros(round(after * SAMPLE_RATE), np.int16)])


def test_speech_is_what_is_loud() -> None:
    onset, end = spoken(noise(1.0, before=0.5, after=0.25))
    assert abs(onset - 8000) < 512
    assert abs(end - 24_000) < 512
    assert spoken(np.zeros(100, np.int16)) == (0, 100)
    assert spoken(np.zeros(2000, np.int16)) == (0, 2000)


@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=3), st.integers(0, 5), st.floats(0.1, 12), st.floats(0, 3))
def test_turns_follow_each_other_in_whole_chunks(lengths: list[int], first: int, seconds: float, pause: float) -> None:
    made = speech([np.ones(length, np.int16) for length in lengths], first=first, seconds=seconds, pause=pause)
    assert len(made.audio) >= seconds * SAMPLE_RATE
    assert made.turns[-1].over == len(made.audio)
    position = 0
    for turn in made.turns:
        assert position <= turn.onset <= turn.end <= turn.over
        assert not (turn.over % CHUNK)
        position = turn.over


def test_there_must_be_something_to_say() -> None:
    with pytest.raises(ValueError, match="recording"):
        speech([], first=0, seconds=1, pause=1)


def test_the_first_text_and_the_last_final_of_each_turn_count() -> None:
    made = speech([noise(1.0, before=0.5)], first=0, seconds=4, pause=1.0)
    ear = Ear(made, 100.0)
    ear.hear(final=False, now=100.3)  # before anybody spoke: nobody's
    for now, final in ((100.9, False), (101.2, True), (101.9, True), (103.4, False)):
        ear.hear(final=final, now=now)
    found = ear.latencies()
    assert found.first == pytest.approx([0.4, 0.4], abs=0.11)
    assert found.final == pytest.approx([0.4], abs=0.11)
    assert found.silent == 1
    both = Latencies()
    both.add(found)
    both.add(found)
    assert (len(both.first), both.silent) == (4, 2)


def test_percentiles_are_by_nearest_rank() -> None:
    assert spread([]) == {"p50": None, "p95": None, "p99": None}
    assert spread([n / 1000 for n in range(1, 101)]) == {"p50": 50, "p95": 95, "p99": 99}


def test_cpu_is_that_of_the_processes_by_role() -> None:
    page = 'process_cpu_seconds_total{process="gateway"} 1.5\nprocess_cpu_seconds_total{process="worker-0"} 2\n'
    page += 'process_cpu_seconds_total{process="worker-1"} 3.0\nother 1\n'
    before = parsed(page)
    assert before == {"gateway": 1.5, "worker": 5.0}
    assert parsed("process_cpu_seconds_total 2.5") == {"server": 2.5}
    assert parsed("") is None
    after = parsed(page.replace("1.5", "1.75"))
    assert spent(before, after) == {"gateway": 0.25, "worker": 0.0}
    assert spent(None, after) is None
    outcome = Outcome(cpu=[{"gateway": 0.5, "worker": 1.5}, None, {"gateway": 1.0, "worker": 3.0}], spoken=[2.0, 2.0, 2.0])
    assert outcome.cost() == 1.5
    assert outcome.cost("gateway") == 0.375
    assert Outcome(cpu=[None], spoken=[1.0]).cost() is None


def places(it: Served, names: list[str]) -> tuple[Place, dict[str, Place]]:
    main = Place(host=it.host, port=it.port)
    return main, {name: Place(host=it.host, port=it.ports.get(name, it.port)) for name in names}


def speaking(names: list[str]) -> tuple[dialects.Spoken, ...]:
    own = {dialect.name for dialect in DIALECTS if dialect.port is not None}
    return dialects.spoken([f"{name}:0" if name in own else name for name in names if name != "native"], DIALECTS)


LOAD = Load(recordings=[noise(0.3)], streams=2, seconds=0.3, pause=0.1, lead=0.2, rest=0.0)


@pytest.mark.parametrize("name", NAMES)
def test_every_protocol_is_spoken_to_its_end(name: str) -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=speaking([name]))) as it:
            main, where = places(it, [name])
            outcome = (await compare(where, LOAD, main=main, rounds=1))[name]
            assert not outcome.failed, outcome.faults
            assert not outcome.refused
            assert len(outcome.latencies.first) == 2
            assert outcome.cost() is not None
            assert it.count("starling_protocol_sessions_total", protocol=name) == 2
            await until(lambda: it.gateway.active == 0)

    run(scenario)


@pytest.mark.parametrize("name", ["native", "vosk", "wyoming", "riva"])
def test_who_is_not_served_is_counted(name: str) -> None:
    async def scenario() -> None:
        options = GatewayOptions(port=0, protocols=speaking([name]), max_sessions=1)
        async with served(options) as it, it.connect() as before:
            await before.send(START)
            await hear(before, until="ready")
            main, where = places(it, [name])
            outcome = (await compare(where, LOAD, main=main, rounds=1))[name]
            assert outcome.refused + outcome.failed == 2, outcome.faults
            assert outcome.as_json()["faults"]
            assert outcome.cost() is None
            await before.send(END)
            await hear(before)

    run(scenario)


def test_two_protocols_take_turns() -> None:
    async def scenario() -> None:
        async with served(GatewayOptions(port=0, protocols=speaking(["vosk"]))) as it:
            main, where = places(it, ["native", "vosk"])
            told: list[str] = []
            outcomes = await compare(where, LOAD, main=main, rounds=2, told=told.append)
            assert [line.split(": ")[1].split(",")[0] for line in told] == ["native", "vosk", "native", "vosk"]
            assert all(len(outcome.cpu) == 2 for outcome in outcomes.values())

    run(scenario)


def test_a_server_that_is_not_there_is_a_failure_and_says_nothing_of_itself() -> None:
    async def scenario() -> None:
        nowhere = Place(host="127.0.0.1", port=1)
        outcomes = await compare({"native": nowhere}, LOAD, main=nowhere, rounds=1)
        assert outcomes["native"].failed == 2
        assert outcomes["native"].cost() is None
        assert cpu_seconds(nowhere) is None

    run(scenario)
