from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from starling.core.errors import InvalidOption
from starling.supervisor.deaths import OWN_FAULT, Cause, cause_of
from starling.supervisor.options import SupervisorOptions
from starling.supervisor.verdicts import Patience, Signs, judge

OPTIONS = SupervisorOptions(workers=1, start_timeout=60.0, hang_timeout=1.0, stuck_timeout=20.0, memory_limit=1000)
WELL = Signs(started=0.0, ready=True, beat=100.0)


def test_a_beating_heart_is_well() -> None:
    assert judge(WELL, OPTIONS, 100.9) is None


def test_silence_is_a_hang() -> None:
    assert judge(WELL, OPTIONS, 101.1) is Cause.HANG


def test_who_computes_and_says_nothing_hangs() -> None:
    assert judge(replace(WELL, runnable=True, share=0.9), OPTIONS, 101.2) is Cause.HANG


def test_who_gets_no_time_is_given_some_but_not_for_ever() -> None:
    starved = replace(WELL, runnable=True, share=0.2)
    assert judge(starved, OPTIONS, 101.2) is None
    assert judge(starved, OPTIONS, 120.1) is Cause.HANG


def test_a_judge_that_was_late_itself_blames_nobody_for_it() -> None:
    assert judge(WELL, OPTIONS, 101.5, blind=0.6) is None
    assert judge(WELL, OPTIONS, 101.7, blind=0.6) is Cause.HANG


def test_a_stopped_process_is_no_fault_of_its_own() -> None:
    verdict = judge(replace(WELL, stopped=True), OPTIONS, 101.1)
    assert verdict is Cause.STOPPED
    assert verdict not in OWN_FAULT


def test_who_is_stopped_is_dead_for_certain_and_waited_for_less_than_who_is_slow() -> None:
    assert judge(replace(WELL, stopped=True), OPTIONS, 100.2) is None
    assert judge(replace(WELL, stopped=True), OPTIONS, 100.3) is Cause.STOPPED
    assert judge(WELL, OPTIONS, 100.3) is None
    debugged = replace(OPTIONS, hang_timeout=10.0)
    assert judge(replace(WELL, stopped=True), debugged, 102.4) is None


def test_a_judge_that_was_late_blames_not_even_the_stopped_for_it() -> None:
    assert judge(replace(WELL, stopped=True), OPTIONS, 100.8, blind=0.6) is None
    assert judge(replace(WELL, stopped=True), OPTIONS, 100.9, blind=0.6) is Cause.STOPPED


def test_loading_a_model_takes_its_time() -> None:
    loading = Signs(started=100.0, ready=False, beat=0.0)
    assert judge(loading, OPTIONS, 159.0) is None
    assert judge(loading, OPTIONS, 161.0) is Cause.START


@pytest.mark.parametrize("field", ["listening", "decoding"])
def test_a_call_into_a_model_may_take_longer_than_a_heartbeat_but_ends_some_day(field: str) -> None:
    busy = replace(WELL, beat=119.9, **{field: 100.0})  # type: ignore[arg-type]
    assert judge(busy, OPTIONS, 120.0) is None
    assert judge(busy, OPTIONS, 120.5) is Cause.STUCK


def test_memory_has_a_limit_even_before_it_is_ready() -> None:
    assert judge(replace(WELL, ready=False, memory=1001), OPTIONS, 1.0) is Cause.MEMORY
    assert judge(replace(WELL, memory=1000), OPTIONS, 100.0) is None


@pytest.mark.parametrize(
    ("returncode", "verdict", "cause"),
    [
        (-signal.SIGSEGV, None, Cause.CRASH),
        (-signal.SIGABRT, Cause.HANG, Cause.CRASH),
        (-signal.SIGKILL, Cause.HANG, Cause.HANG),
        (-signal.SIGKILL, None, Cause.KILLED),
        (-signal.SIGTERM, None, Cause.KILLED),
        (1, None, Cause.EXIT),
        (0, None, Cause.KILLED),
        (-signal.SIGKILL, Cause.REPLACED, Cause.REPLACED),
    ],
)
def test_an_exit_status_says_why(returncode: int, verdict: Cause | None, cause: Cause) -> None:
    assert cause_of(returncode, verdict) is cause


def test_a_foreign_signal_is_nobodys_fault() -> None:
    assert not {Cause.KILLED, Cause.STOPPED, Cause.REPLACED, Cause.START} & OWN_FAULT


@pytest.mark.parametrize(
    "wrong", [{"workers": 0}, {"hang_timeout": 0}, {"stuck_timeout": 0.5}, {"longest_delay": 0.1}, {"memory_limit": 0}]
)
def test_options_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidOption):
        SupervisorOptions(**({"workers": 1} | wrong))  # type: ignore[arg-type]


def test_hangs_in_a_row_make_the_judge_patient_for_a_while_but_not_with_who_is_stopped() -> None:
    patience = Patience()
    assert patience.factor(0.0) == 1
    patience.hung(0.0)
    patience.hung(5.0)
    assert patience.factor(10.0) == 4
    assert patience.factor(64.9) == 2
    assert patience.factor(65.0) == 1
    assert judge(WELL, OPTIONS, 103.9, patience=4) is None
    assert judge(WELL, OPTIONS, 104.1, patience=4) is Cause.HANG
    assert judge(WELL, OPTIONS, 120.1, patience=256) is Cause.HANG
    assert judge(replace(WELL, stopped=True), OPTIONS, 101.1, patience=4) is Cause.STOPPED
