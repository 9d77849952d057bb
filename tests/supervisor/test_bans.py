from __future__ import annotations

from starling.supervisor.bans import REMEMBERED, Bans


def test_two_strikes_are_out_and_one_is_not() -> None:
    bans = Bans()
    assert bans.struck([1, 2], 0.0) == []
    assert bans.struck([1, 1], 1.0) == [1]
    assert bans.banned == [1]
    assert bans.struck([1], 2.0) == [], "said once"
    assert bans.banned == [1]


def test_strikes_are_forgotten() -> None:
    bans = Bans()
    bans.struck([1, 2], 0.0)
    bans.struck([1], 10.0)
    assert not bans.forget(REMEMBERED + 9.9)
    assert bans.banned == [1]
    assert bans.forget(REMEMBERED + 10.0)
    assert bans.banned == []
    assert bans.struck([1], REMEMBERED + 11.0) == []
