"""Tickets, and what is signed for one purpose and shown for another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.auth.client_secrets import PREFIX, SecretOffice
from starling.auth.passes import PassOffice
from starling.auth.seal import Seal
from starling.auth.tickets import LIFETIME, TicketOffice
from starling.core.errors import Unauthenticated

SEAL = Seal()
OFFICE = TicketOffice(SEAL)
TICKET, _ = OFFICE.issue("abc", 100.0)


@given(st.floats(0, 1e10))
def test_a_ticket_is_good_for_a_minute_at_every_gateway_that_signs_alike(now: float) -> None:
    ticket, seconds = OFFICE.issue("abc", now)
    elsewhere = TicketOffice(Seal(SEAL.root))
    assert seconds == LIFETIME
    assert elsewhere.redeem(ticket, now).key_id == "abc"
    with pytest.raises(Unauthenticated):
        elsewhere.redeem(ticket, int(now) + LIFETIME)
    with pytest.raises(Unauthenticated):
        TicketOffice(Seal()).redeem(ticket, now)


def test_each_has_a_number_of_its_own() -> None:
    numbers = {OFFICE.redeem(OFFICE.issue("abc", 100.0)[0], 100.0).number for _ in range(100)}
    assert len(numbers) == 100


@given(st.integers(0, len(TICKET) - 1), st.characters(max_codepoint=300))
def test_a_changed_letter_makes_it_worthless(place: int, letter: str) -> None:
    changed = TICKET[:place] + letter + TICKET[place + 1 :]
    if changed != TICKET:
        with pytest.raises(Unauthenticated):
            OFFICE.redeem(changed, 100.0)


def test_a_new_root_makes_all_void() -> None:
    seal = Seal()
    office = TicketOffice(seal)
    ticket, _ = office.issue("abc", 100.0)
    seal.root = SEAL.root
    with pytest.raises(Unauthenticated):
        office.redeem(ticket, 100.0)


def test_what_was_signed_for_one_purpose_is_good_for_no_other() -> None:
    """All of them are made by whoever has a key, with words of their choice."""
    secrets, passes = SecretOffice(SEAL), PassOffice(SEAL)
    secret = secrets.issue("abc", "0", 60, 100.0).removeprefix(PREFIX)
    passed = passes.issue("abc", "a" * 32, 100.0)
    for redeem in (
        lambda: OFFICE.redeem(secret, 100.0),
        lambda: OFFICE.redeem(f"0.{passed}", 100.0),
        lambda: secrets.redeem(PREFIX + TICKET, 100.0),
        lambda: passes.redeem(TICKET, "a" * 32, 100.0),
        lambda: passes.redeem(TICKET.partition(".")[2], TICKET.partition(".")[0], 100.0),
    ):
        with pytest.raises(Unauthenticated):
            redeem()
