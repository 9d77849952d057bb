"""Which dialects a server speaks, and how a request shows a key."""

from __future__ import annotations

from base64 import b64encode

import pytest

from starling.core.errors import InvalidOption
from starling.gateway.connection import NATIVE
from starling.protocols.dialects import Dialect, Spoken, spoken
from starling.protocols.foreign import ForeignAdapter, Head, authorization
from starling.protocols.registry import DIALECTS
from starling.protocols.verbs import Adapter, Offer
from starling.telemetry.families.sessions import PROTOCOLS


def _adapter(_: Offer, __: Head) -> Adapter:
    raise NotImplementedError


OWN = Dialect(name="own", adapter=_adapter, port=2700)
MAIN = Dialect(name="main", adapter=_adapter, paths=("/v1/x",))
KNOWN = (OWN, MAIN)


def test_names_may_carry_a_port() -> None:
    assert spoken(["own"], KNOWN) == (Spoken(OWN, 2700),)
    assert spoken([" own:0 ", "main"], KNOWN) == (Spoken(OWN, 0), Spoken(MAIN, None))
    assert spoken(["own:1", "all"], KNOWN) == (Spoken(OWN, 1), Spoken(MAIN, None))
    assert spoken(["all", "own:1"], KNOWN) == (Spoken(OWN, 1), Spoken(MAIN, None))
    assert spoken([], KNOWN) == ()


@pytest.mark.parametrize("entry", ["nobody", "", "own:", "own:x", "own:70000", "own:-1", "main:80", "all:1", "own:²"])
def test_other_entries_are_refused(entry: str) -> None:
    with pytest.raises(InvalidOption):
        spoken([entry], KNOWN)


def test_names_and_ports_are_each_dialect_s_own() -> None:
    ports = [dialect.port for dialect in DIALECTS if dialect.port is not None]
    assert len({dialect.name for dialect in DIALECTS}) == len(DIALECTS)
    assert len(set(ports)) == len(ports)
    assert all((dialect.port is None) == bool(dialect.paths) for dialect in DIALECTS)


def test_metrics_know_every_protocol() -> None:
    assert set(PROTOCOLS) == {NATIVE, *(dialect.name for dialect in DIALECTS)}


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Bearer  k ", "k"),
        ("bearer k", "k"),
        ("Basic " + b64encode(b"me:k:l").decode(), "k:l"),
        ("Basic !", None),
        ("Basic " + b64encode(b"\xff").decode(), None),
        ("Digest x", None),
        ("", None),
    ],
)
def test_keys_are_shown_as_bearer_or_as_password(header: str, key: str | None) -> None:
    assert authorization(Head(headers={"authorization": header})) == key


def test_most_dialects_say_nothing_of_their_own_accord() -> None:
    adapter = ForeignAdapter()
    assert not adapter.connected()
    assert not adapter.acknowledged(1)
    assert not adapter.lasts
    assert adapter.closing(None) == (1000, "")
    assert adapter.closing(InvalidOption) == (1008, "invalid_option")
