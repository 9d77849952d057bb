"""The socket on which clients arrive. It may outlive the gateway that serves it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starling.core.errors import InvalidOption, StarlingError
from starling.gateway.options import GatewayOptions

KERNEL_BUFFER: Final = 128 * 1024
"""Bytes a connection may hold in the kernel each way. Four seconds of PCM: enough for any network, and a ping that follows the
audio of a client we slow down does not wait behind minutes of it."""

BACKLOG: Final = 2048
"""Connections that wait to be accepted, while a gateway starts again for instance."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket whose connections notice within about two minutes that a silent peer is no more.

    Raises InvalidOption for a host that is none, StarlingError when the address cannot be listened on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as error:
        raise InvalidOption(f"host {host!r} is no address of this machine ({error.strerror})") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StarlingError(
            f"cannot listen on {host} port {port} ({error.strerror}); choose another, or end what listens there"
        ) from None
    return listener


def reserve(host: str, port: int) -> socket.socket:
    """A socket that keeps the place for who listens there by itself, with SO_REUSEPORT. It does not listen. Raises as ``listen``.

    gRPC takes no socket that listens already. So its port is kept from everybody else while a gateway is replaced.
    """
    with listen(host, port) as tried:  # who shares ports would share with anybody of this user, so nobody may be there
        family, address = tried.family, tried.getsockname()
    place = socket.socket(family, socket.SOCK_STREAM)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        place.bind(address)
    except OSError as error:
        place.close()
        raise StarlingError(f"cannot listen on {host} port {port} ({error.strerror}); end what listens there") from None
    return place


@dataclass(frozen=True, slots=True)
class Listeners:
    """Where clients arrive. ``dialects``: by the names of the dialects that have a port of their own.

    Those of gRPC are reserved only.
    """

    main: socket.socket
    dialects: Mapping[str, socket.socket] = field(default_factory=dict)

    @property
    def ports(self) -> dict[str, int]:
        """The port of each dialect that has its own."""
        return {name: listener.getsockname()[1] for name, listener in self.dialects.items()}

    @property
    def named(self) -> str:
        """Dialects and their ports, for the log."""
        return " ".join(f"{name}:{port}" for name, port in self.ports.items())

    def close(self) -> None:
        for listener in (self.main, *self.dialects.values()):
            listener.close()


def listen_everywhere(options: GatewayOptions) -> Listeners:
    """All that ``options`` want listened on. Raises as ``listen``; then nothing is."""
    main, dialects = listen(options.host, options.port), {}
    for spoken in options.protocols:
        if spoken.port is not None:
            try:
                take = listen if spoken.dialect.service is None else reserve
                dialects[spoken.dialect.name] = take(options.protocols_host, spoken.port)
            except StarlingError:
                Listeners(main, dialects).close()
                raise
    return Listeners(main, dialects)
