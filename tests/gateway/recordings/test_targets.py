"""Where a stranger's URL may lead."""

from __future__ import annotations

import ipaddress

import pytest

from starling.core.errors import InvalidOption
from starling.gateway.recordings.options import networks
from starling.gateway.recordings.targets import permitted, redirected, target

PUBLIC = ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"]
BARRED = [
    "127.0.0.1",
    "127.8.9.1",
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.100.100.200",
    "0.0.0.0",
    "255.255.255.255",
    "224.0.0.1",
    "240.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "nonsense",
    "",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted_where_web_servers_are(address: str) -> None:
    assert permitted(address, 443, ())
    assert not permitted(address, 22, ())
    assert not permitted(address, 6379, ())


@pytest.mark.parametrize("address", BARRED)
def test_all_others_are_not(address: str) -> None:
    assert not permitted(address, 80, ())
    assert not permitted(address, 443, ())


def test_networks_that_were_named_are_permitted_on_any_port() -> None:
    allowed = networks(("10.1.0.0/16", "fd00::/8"))
    assert permitted("10.1.2.3", 5000, allowed)
    assert permitted("::ffff:10.1.2.3", 5000, allowed)
    assert permitted("fd12::1", 5000, allowed)
    assert not permitted("10.2.2.3", 80, allowed)
    with pytest.raises(InvalidOption, match=r"10\.0\.0\.0/8"):
        networks(("10.0.0.0/40",))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://example.org/",
        "ftp://example.org/a",
        "//example.org/a",
        "example.org/a",
        "http://",
        "http:///a",
        "http://user:pass@example.org/",
        "http://user@example.org/",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://example.org:x/",
        "http://[::1/",
        "http://example.org/a b",
        "http://example.org/\r\nX-Injected: 1",
        "http://example.org\\@127.0.0.1/",
        "http://ex\u0430mple.org/",
        "http://example.org/" + "a" * 3000,
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidOption):
        target(url)


def test_a_url_in_parts() -> None:
    found = target("https://Example.org:8443/a/b?c=d#e")
    assert (found.scheme, found.host, found.port, found.authority, found.path) == (
        "https",
        "example.org",
        8443,
        "example.org:8443",
        "/a/b?c=d",
    )
    assert target("http://[2606:4700::1]").authority == "[2606:4700::1]"


def test_redirects_lead_nowhere_that_a_url_may_not() -> None:
    secure = target("https://example.org/a")
    assert redirected(secure, "/b").url == "https://example.org/b"
    assert redirected(target("http://example.org/a"), "https://example.com/b").url == "https://example.com/b"
    for location in ("http://example.org/b", "file:///etc/passwd", "http://user@example.com/"):
        with pytest.raises(InvalidOption):
            redirected(secure, location)


def test_every_ipv4_address_of_the_private_ranges_is_barred_in_every_disguise() -> None:
    for name in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"):
        network = ipaddress.IPv4Network(name)
        for address in (network[0], network[1], network[-1], network[network.num_addresses // 2]):
            number = int(address)
            disguises = [f"::ffff:{address}", f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}", f"::{address}"]
            disguises.append(f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1")
            assert not any(permitted(one, 80, ()) for one in [str(address), *disguises]), address
