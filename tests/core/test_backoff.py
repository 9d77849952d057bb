"""How long to wait before another attempt."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from starling.core.backoff import backoff, jittered

FAILURES = st.integers(1, 10_000)
SECONDS = st.floats(0, 86_400)


@given(failures=FAILURES, first=SECONDS, longest=SECONDS)
def test_waits_double_and_end_somewhere(failures: int, first: float, longest: float) -> None:
    wait = backoff(failures, first=first, longest=longest)
    assert 0 <= wait <= longest
    assert backoff(failures + 1, first=first, longest=longest) >= wait
    if failures == 1:
        assert wait == min(first, longest)


@given(failures=FAILURES, first=SECONDS, longest=SECONDS, draw=st.floats(0, 1))
def test_nobody_waits_less_than_half_of_it(failures: int, first: float, longest: float, draw: float) -> None:
    most = backoff(failures, first=first, longest=longest)
    assert most / 2 <= jittered(failures, first=first, longest=longest, draw=draw) <= most
