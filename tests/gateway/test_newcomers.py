from __future__ import annotations

from starling.gateway.newcomers import HANDSHAKE, TRANSIT, Newcomers


def test_who_is_admitted_counts_until_recognizers_speak_of_it() -> None:
    newcomers = Newcomers()
    one = newcomers.admitted(10.0)
    assert newcomers.count(10.2, 10.3) == 1, "what was said after it was admitted cannot have counted it: it has not opened yet"
    newcomers.opened(one, 10.3)
    assert newcomers.count(10.2, 10.5) == 1
    assert newcomers.count(10.3, 30.0) == 1, "recognizers that say nothing any more have not counted it"
    assert newcomers.count(10.3 + TRANSIT, 30.0) == 0


def test_who_never_opens_counts_for_a_while_only() -> None:
    newcomers = Newcomers()
    one = newcomers.admitted(10.0)
    assert newcomers.count(0.0, 10.0 + HANDSHAKE) == 0
    newcomers.opened(one, 15.0)
    assert newcomers.count(14.9, 15.0) == 1, "it does once it opens after all"


def test_who_leaves_counts_no_more() -> None:
    newcomers = Newcomers()
    one, two = newcomers.admitted(0.0), newcomers.admitted(0.0)
    newcomers.left(one)
    assert newcomers.count(0.0, 0.1) == 1
    newcomers.left(one)
    newcomers.left(two)
    assert newcomers.count(0.0, 0.1) == 0
