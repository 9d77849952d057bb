"""What people type for a server, and what it means."""

from __future__ import annotations

import pytest

from starling.client.address import DEFAULT_URL, is_loopback, stream_url
from starling.core.errors import InvalidOption


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (DEFAULT_URL, "ws://127.0.0.1:8000/v1/stream"),
        ("localhost:9000", "ws://localhost:9000/v1/stream"),
        ("captions.example", "ws://captions.example/v1/stream"),
        ("http://captions.example/", "ws://captions.example/v1/stream"),
        ("https://captions.example", "wss://captions.example/v1/stream"),
        ("wss://captions.example/speech/v1/stream?key=1#top", "wss://captions.example/speech/v1/stream?key=1"),
        ("[::1]:8000", "ws://[::1]:8000/v1/stream"),
    ],
)
def test_an_address_becomes_a_websocket_url(typed: str, meant: str) -> None:
    assert stream_url(typed) == meant


@pytest.mark.parametrize("typed", ["", "ftp://host", "ws://", "host:port", "ws://host:99999", "host:0", "http://[::1"])
def test_anything_else_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(InvalidOption, match="such as ws://"):
        stream_url(typed)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("ws://127.0.0.1:8000/", True),
        ("ws://[::1]/", True),
        ("ws://localhost/", True),
        ("ws://console.localhost/", True),
        ("ws://10.0.0.1/", False),
        ("ws://localhost.example/", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, loopback: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_loopback(url) is loopback
