"""Which address a person opens, and when the server says that others may use it too."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from starling.auth.keyfile import KeyRecord, changing
from starling.cli.reach import check_access, exposure, for_others, outward, to_open
from starling.config.doctor import Check, Status
from starling.config.groups.edge import Auth, AuthMode, Server
from starling.config.settings import Settings


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("http://0.0.0.0:8000/", "http://127.0.0.1:8000/"),
        ("http://[::]:8000/", "http://[::1]:8000/"),
        ("ws://0.0.0.0:8000/v1/stream", "ws://127.0.0.1:8000/v1/stream"),
        ("http://192.0.2.7:8000/", "http://192.0.2.7:8000/"),
        ("http://captions.example:80/", "http://captions.example:80/"),
    ],
)
def test_every_address_of_the_machine_is_opened_as_this_machine(url: str, opened: str) -> None:
    assert to_open(url) == opened


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_a_server_for_this_machine_alone_warns_of_nobody(host: str) -> None:
    assert exposure(host, asks_for_keys=False) is None
    assert exposure(host, asks_for_keys=True) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "captions.example"])
def test_a_server_for_others_says_that_anyone_may_use_it(host: str) -> None:
    assert exposure(host, asks_for_keys=True) is None
    warning = exposure(host, asks_for_keys=False)
    assert warning is not None
    assert f"anyone who reaches {host} may use this server" in warning


@pytest.mark.parametrize(
    ("url", "names", "opened"),
    [
        ("http://0.0.0.0:8000/", ("*", "captions.example", "192.0.2.7"), "http://captions.example:8000/"),
        ("http://0.0.0.0:8000/", ("2001:db8::7", "192.0.2.7"), "http://192.0.2.7:8000/"),
        ("https://[::]:8000/", ("2001:db8::7",), "https://[2001:db8::7]:8000/"),
        ("http://0.0.0.0:8000/", (), None),
        ("http://192.0.2.7:8000/", ("captions.example",), None),
    ],
)
def test_others_open_a_server_by_its_name_or_else_by_an_address(url: str, names: tuple[str, ...], opened: str | None) -> None:
    assert for_others(url, names) == opened


def test_addresses_of_this_machine_are_found_without_sending_anything() -> None:
    for address in outward():
        assert not ip_address(address).is_unspecified


def test_the_doctor_says_whom_a_server_would_let_in(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"

    def found(mode: AuthMode, host: str = "127.0.0.1") -> Check:
        return check_access(Settings(auth=Auth(mode=mode, keys_file=str(path)), server=Server(host=host)))

    assert (found(AuthMode.AUTO).status, found(AuthMode.AUTO).detail) == (
        Status.OK,
        "asks for no API keys; only this machine reaches it",
    )
    assert found(AuthMode.AUTO, "192.0.2.7").status is Status.FAIL
    assert found(AuthMode.KEYS).status is Status.FAIL
    assert found(AuthMode.OPEN, "192.0.2.7").status is Status.WARN
    key = KeyRecord(key_id="x", name="desk", tenant="default", digest="0" * 64, created="")
    with changing(path) as change:
        change.content = replace(change.content, keys=(key,))
    assert found(AuthMode.AUTO).detail == f"asks every client for an API key; {path} has 1"
