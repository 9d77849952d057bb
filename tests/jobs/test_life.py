from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.job_store_contract import NOW, job
from starling.core.jobs import JobStatus
from starling.jobs import life
from starling.jobs.life import ENDS, NEXT, Verb


def test_only_what_is_over_comes_after_an_end_and_only_a_retry_leads_back() -> None:
    for (before, verb), after in NEXT.items():
        assert after.over == (verb in ENDS or (before.over and verb is not Verb.RETRY))
        if before.over and before is not after:
            assert verb is Verb.RETRY


def test_every_status_but_the_first_is_reached_and_every_verb_has_a_place() -> None:
    assert set(NEXT.values()) == set(JobStatus)
    assert {verb for _, verb in NEXT} == set(Verb) - {Verb.SUBMIT, Verb.DELETE}


@pytest.mark.parametrize("status", JobStatus)
def test_what_is_refused_changes_nothing(status: JobStatus) -> None:
    found = replace(job(), status=status)
    assert (life.cancel(found, now=NOW) is None) == status.over
    assert (life.retry(found, now=NOW) is None) == (status not in {JobStatus.FAILED, JobStatus.CANCELLED})
    assert (life.forget_audio(found) is None) != status.over
    if status is not JobStatus.RUNNING:
        with pytest.raises(KeyError):
            life.finish(found, now=NOW, duration=1.0)
