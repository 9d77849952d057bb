"""Hosts of one's own, each in a network namespace, on one wire that can be cut for each of them (iproute2)."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

import pytest


class Cut(StrEnum):
    """How a host is cut off.

    ``UNPLUGGED``: its link is down at the other end, and its own card knows. ``SILENT``: the switch drops whatever goes to it and
    comes from it, and nobody is told.
    """

    UNPLUGGED = "unplugged"
    SILENT = "silent"


class NotPermitted(Exception):
    """There can be no other networks here. Says why."""


@dataclass(frozen=True, slots=True)
class Host:
    """``address``: on the wire. ``port``: its end of the wire at the switch. ``within``: words that run a command there."""

    name: str
    address: str
    port: str

    @property
    def within(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)


@dataclass(slots=True)
class Network:
    """A switch, which is a namespace with a bridge, and whoever is plugged in; this process's own host is, too."""

    name: str = field(default_factory=lambda: f"sl{secrets.token_hex(3)}")
    hosts: list[Host] = field(default_factory=list)
    subnet: str = field(default_factory=lambda: f"198.18.{secrets.randbelow(254) + 1}")  # of benchmarks (RFC 2544)

    def host(self) -> Host:
        """One more."""
        number = len(self.hosts) + 2
        host = Host(f"{self.name}h{number}", f"{self.subnet}.{number}", f"p{number}")
        self.hosts.append(host)
        _ip("netns", "add", host.name)
        self._plug_in(host.port, "eth0", host.name)
        for words in (
            ("addr", "add", f"{host.address}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", host.name, *words)
        return host

    def cut_off(self, host: Host, how: Cut) -> None:
        """Nothing comes through to or from ``host``."""
        if how is Cut.UNPLUGGED:
            _ip("-n", self.name, "link", "set", host.port, "down")
        else:
            _run("bridge", "-n", self.name, "link", "set", "dev", host.port, "state", "disabled")

    def join(self, host: Host, how: Cut) -> None:
        """As before."""
        if how is Cut.UNPLUGGED:
            _ip("-n", self.name, "link", "set", host.port, "up")
        else:
            _run("bridge", "-n", self.name, "link", "set", "dev", host.port, "state", "forwarding")

    def _lay(self) -> None:
        _ip("netns", "add", self.name)
        _ip("-n", self.name, "link", "add", "switch", "type", "bridge")
        _ip("-n", self.name, "link", "set", "switch", "up")
        _ip("link", "add", self.name, "type", "veth", "peer", "name", "p1", "netns", self.name)
        _ip("addr", "add", f"{self.subnet}.1/24", "dev", self.name)
        _ip("link", "set", self.name, "up")
        _ip("-n", self.name, "link", "set", "p1", "master", "switch", "up")

    def _plug_in(self, port: str, card: str, namespace: str) -> None:
        _ip("-n", self.name, "link", "add", port, "type", "veth", "peer", "name", card, "netns", namespace)
        _ip("-n", self.name, "link", "set", port, "master", "switch", "up")

    def _clear(self) -> None:
        for name in (*(host.name for host in self.hosts), self.name):
            with suppress(NotPermitted):
                _ip("netns", "del", name)


@contextmanager
def wired() -> Iterator[Network]:
    """A network for as long as the block runs. Raises NotPermitted."""
    if shutil.which("ip") is None or shutil.which("bridge") is None:
        raise NotPermitted("iproute2 is not installed: apt-get install iproute2")
    if os.geteuid() != 0:
        raise NotPermitted("only root may make network namespaces")
    network = Network()
    try:
        network._lay()
        yield network
    finally:
        network._clear()


@contextmanager
def network() -> Iterator[Network]:
    """For a test, which is skipped where there can be none."""
    try:
        with wired() as it:
            yield it
    except NotPermitted as reason:
        pytest.skip(str(reason))


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise NotPermitted(f"{' '.join(words)}: {done.stderr.strip()}")
