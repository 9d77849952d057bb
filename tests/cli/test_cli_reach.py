"""Which address a person opens, and when the server says that others may use it too."""

from __future__ import annotations

import pytest

from starling.cli.reach import exposure, to_open


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
