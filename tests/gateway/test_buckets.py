"""Token buckets, quotas and paces: laws, on clocks of their own."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from starling.auth.tenants import Tenant
from starling.bus.memory import MemoryTally
from starling.core.errors import QuotaExceeded
from starling.core.jobs import DAY
from starling.gateway.buckets import BucketTable, TokenBucket
from starling.gateway.quotas import Quotas
from virtual_time import at_once

_steps = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 50)), max_size=40)


@given(st.floats(0.1, 100), st.floats(1, 100), _steps)
def test_who_waits_as_told_never_gets_more_than_the_burst_and_the_rate(
    rate: float, burst: float, steps: list[tuple[float, float]]
) -> None:
    bucket, now, taken, last = TokenBucket(rate, burst, 0.0), 0.0, 0.0, 0.0
    for pause, amount in steps:
        now += pause
        assert taken <= burst + rate * now + 1e-6
        now += bucket.take(amount, now)
        taken, last = taken + amount, amount
    assert taken <= burst + rate * now + 1e-6
    assert last <= taken


@given(st.floats(0.1, 10), st.integers(1, 20), st.lists(st.floats(0, 5), max_size=60))
def test_who_asks_gets_no_more_than_the_burst_and_the_rate(rate: float, burst: int, pauses: list[float]) -> None:
    bucket, now, granted = TokenBucket(rate, burst, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        wait = bucket.ask(now)
        granted += wait == 0
        assert granted <= burst + rate * now + 1e-6
        if wait:
            assert bucket.wait(now + wait + 1e-9) < 1e-6


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(1, 2, 10.0)
    assert [bucket.ask(10.0), bucket.ask(5.0), bucket.ask(10.0) > 0] == [0, 0, True]


def test_a_table_keeps_the_last_used_only() -> None:
    table = BucketTable(1.0, 1.0, size=3)
    for number in range(1000):
        table.of(str(number), 0.0).ask(0.0)
        assert len(table) <= 3
    assert table.of("999", 0.0).wait(0.0) > 0
    assert table.of("5", 0.0).wait(0.0) == 0


class Clocks:
    """Two hands: monotonic seconds, and seconds since 1970."""

    def __init__(self) -> None:
        self.now = 100.0
        self.wall = 20_000.0 * DAY + 80_000

    def quotas(self) -> Quotas:
        return Quotas(lambda: self.now, lambda: self.wall)


def test_sessions_of_a_tenant_are_counted_and_of_others_are_not() -> None:
    quotas = Clocks().quotas()
    small = Tenant(name="small", max_sessions=1)
    with quotas.session(small):
        with pytest.raises(QuotaExceeded) as refused:
            quotas.check(small)
        assert (refused.value.gate, refused.value.retry_after > 0) == ("tenant", True)
        quotas.check(Tenant(name="other", max_sessions=1))
        quotas.check(Tenant(name="small"))  # the limit was lifted meanwhile
    quotas.check(small)


def test_audio_beyond_the_minute_is_waited_for_and_shuts_the_door_meanwhile() -> None:
    clocks = Clocks()
    quotas, tenant = clocks.quotas(), Tenant(name="t", audio_seconds_per_minute=60)
    with quotas.session(tenant):
        assert quotas.spend(tenant, 60) == 0
        assert quotas.spend(tenant, 5) == pytest.approx(5)
        with pytest.raises(QuotaExceeded) as refused:
            quotas.check(tenant)
        assert refused.value.retry_after == pytest.approx(5)
        clocks.now += 6
        quotas.check(tenant)
        assert quotas.spend(Tenant(name="t", audio_seconds_per_minute=6000), 100) == pytest.approx(0.99, abs=0.02)


def test_a_day_that_is_used_up_ends_at_midnight() -> None:
    clocks = Clocks()
    quotas, tenant = clocks.quotas(), Tenant(name="t", audio_seconds_per_day=100)
    with quotas.session(tenant):
        assert quotas.spend(tenant, 99) == 0
        with pytest.raises(QuotaExceeded, match="midnight") as refused:
            quotas.spend(tenant, 1)
        assert refused.value.retry_after == pytest.approx(DAY - 80_000)
    with pytest.raises(QuotaExceeded):
        quotas.check(tenant)
    clocks.wall += DAY - 80_000
    quotas.check(tenant)
    assert quotas.spend(tenant, 99) == 0


def test_who_was_not_there_today_is_forgotten() -> None:
    clocks = Clocks()
    quotas = clocks.quotas()
    for number in range(100):
        clocks.wall += DAY
        tenant = Tenant(name=str(number))
        with quotas.session(tenant):
            quotas.spend(tenant, 1)
    assert len(quotas._usage) <= 2


def test_what_a_tenant_uses_at_other_gateways_counts_here() -> None:
    clocks, elsewhere = Clocks(), Clocks()
    here, there = clocks.quotas(), elsewhere.quotas()
    tenant = Tenant(name="t", audio_seconds_per_day=100, audio_seconds_per_minute=60)
    one = MemoryTally("one")

    def exchange() -> None:
        for quotas, tally in ((there, one.at("two")), (here, one)):
            day, mine = quotas.share()
            quotas.learn(day, at_once(tally.exchange(day, mine)))

    with here.session(tenant), there.session(tenant):
        assert here.spend(tenant, 30) == 0
        assert there.spend(tenant, 40) == 0
        exchange()
        exchange()
        assert here.spend(tenant, 0) == pytest.approx(10), "the minute is used up by both"
        for clock in (clocks, elsewhere):
            clock.now += 60
        there.spend(tenant, 25)
        exchange()
        with pytest.raises(QuotaExceeded, match="midnight"):
            here.spend(tenant, 6)
        for clock in (clocks, elsewhere):
            clock.wall += DAY
            clock.now += 60
        exchange()
        assert here.spend(tenant, 50) == 0
