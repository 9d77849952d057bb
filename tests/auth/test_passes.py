"""Passes to one recording."""

from __future__ import annotations

import pytest

from starling.auth.passes import LIFETIME, PassOffice
from starling.auth.seal import Seal
from starling.core.errors import Unauthenticated


def test_a_pass_is_good_for_its_recording_for_a_while() -> None:
    seal = Seal()
    office = PassOffice(seal)
    passed = office.issue("k1", "a" * 32, 100.0)
    assert office.redeem(passed, "a" * 32, 100.0 + LIFETIME - 1) == "k1"
    with pytest.raises(Unauthenticated):
        office.redeem(passed, "a" * 32, 100.0 + LIFETIME)
    with pytest.raises(Unauthenticated):
        office.redeem(passed, "b" * 32, 100.0)
    assert PassOffice(Seal(seal.root)).redeem(passed, "a" * 32, 100.0) == "k1", "another gateway's"
    with pytest.raises(Unauthenticated):
        PassOffice(Seal()).redeem(passed, "a" * 32, 100.0)


@pytest.mark.parametrize("forged", ["", ".", "..", "k1.99999999999.00", "k1.x.\u00e9", "k" * 4000, "k1"])
def test_what_was_never_issued_is_refused(forged: str) -> None:
    with pytest.raises(Unauthenticated):
        PassOffice(Seal()).redeem(forged, "a" * 32, 0.0)
