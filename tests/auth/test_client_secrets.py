"""Client secrets: good for as long as was asked, for who was asked, and for nobody who changed a letter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starling.auth.client_secrets import LIFETIMES, MAX_NOTE, SecretOffice, is_secret
from starling.auth.seal import Seal
from starling.core.errors import InvalidOption, Unauthenticated
from starling.protocols.openai_realtime import secrets as of_protocol

SEAL = Seal()
OFFICE = SecretOffice(SEAL)
SECRET = OFFICE.issue("abc", "bm90ZQ", 60, 100.0)

letters = st.text("abcdefABCDEF0123456789-_", max_size=40)


@given(letters, letters, st.integers(*LIFETIMES), st.floats(0, 1e6))
def test_one_is_good_until_its_end(key_id: str, note: str, lifetime: int, now: float) -> None:
    secret = OFFICE.issue(key_id, note, lifetime, now)
    assert is_secret(secret)
    assert OFFICE.redeem(secret, now) == key_id
    assert OFFICE.redeem(secret, int(now) + lifetime - 0.01) == key_id
    with pytest.raises(Unauthenticated):
        OFFICE.redeem(secret, int(now) + lifetime)


@given(st.integers(0, len(SECRET) - 1), st.characters(max_codepoint=300))
def test_a_changed_letter_makes_it_worthless(place: int, letter: str) -> None:
    changed = SECRET[:place] + letter + SECRET[place + 1 :]
    if changed != SECRET:
        with pytest.raises(Unauthenticated):
            OFFICE.redeem(changed, 100.0)


@given(st.text(max_size=80))
def test_what_is_none_is_told(text: str) -> None:
    with pytest.raises(Unauthenticated):
        OFFICE.redeem(text, 0.0)


def test_one_is_good_at_every_gateway_that_signs_alike() -> None:
    assert SecretOffice(Seal(SEAL.root)).redeem(SECRET, 100.0) == "abc"


def test_another_server_s_is_worthless() -> None:
    with pytest.raises(Unauthenticated):
        SecretOffice(Seal()).redeem(SECRET, 100.0)


def test_too_short_too_long_and_too_much_are_refused() -> None:
    for note, lifetime in (("", LIFETIMES[0] - 1), ("", LIFETIMES[1] + 1), ("x" * (MAX_NOTE + 1), 60)):
        with pytest.raises(InvalidOption):
            OFFICE.issue("abc", note, lifetime, 0.0)
    largest = OFFICE.issue("a" * 64, "x" * MAX_NOTE, LIFETIMES[1], 1e9)
    assert OFFICE.redeem(largest, 1e9) == "a" * 64


def test_the_protocol_knows_one_by_its_beginning() -> None:
    assert SECRET.startswith(of_protocol.PREFIX)
