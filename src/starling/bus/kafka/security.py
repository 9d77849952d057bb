"""How Kafka and its clients convince each other of who they are: TLS and SASL, and what is wrong where they do not.

librdkafka checks that a certificate is of the host that it was asked for, and nothing here turns that off.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starling.core.errors import InvalidOption

PLAIN: Final = "PLAIN"
"""The mechanism that sends the password itself."""

_REFUSALS: Final = {
    r"mechanism handshake failed.*?supported mechanisms: ?([\w,-]+)": "takes {0}, not {mechanism}: see bus.kafka_sasl",
    r"mechanism handshake failed": "asks nobody for credentials at this port: see bus.kafka_user, and the port in bus.url",
    r"SASL authentication error|SASL SCRAM": "refuses these credentials ({mechanism}): see bus.kafka_user and bus.kafka_password",
    r"certificate verify failed": "shows a certificate that {ca} (bus.kafka_ca) does not vouch for, "
    "or that is for another name than the one in bus.url",
    r"alert (?:bad certificate|certificate (?:unknown|required|expired|revoked)|unknown ca)": "wants a certificate of this "
    "client, one that it knows: see bus.kafka_cert",
    r"PLAINTEXT broker listener|wrong version number": "speaks no TLS at this port: let bus.url begin with kafka://, "
    "or name the port that does",
}
"""What librdkafka says (in `rdkafka_sasl.c`, `rdkafka_ssl.c`) or OpenSSL does, and what that means; the first one counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """``tls``: whether it is spoken. ``ca``: certificates in PEM that vouch for brokers, those of the system if None. ``cert``,
    ``key``: this client's own, in PEM; ``key`` is None where the file of the certificate has it.

    ``user``: for SASL, empty for none; with ``password``, by ``mechanism``: ``PLAIN``, ``SCRAM-SHA-256`` or ``SCRAM-SHA-512``.
    """

    tls: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    mechanism: str = ""
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def scheme(self) -> str:
        """How an address begins."""
        return "kafka+ssl" if self.tls else "kafka"

    @property
    def client(self) -> dict[str, str]:
        """What clients of librdkafka are told of it."""
        told = {"security.protocol": ("sasl_" if self.user else "") + ("ssl" if self.tls else "plaintext")}
        if self.user:
            told |= {"sasl.mechanism": self.mechanism, "sasl.username": self.user, "sasl.password": self.password}
        files = {"ssl.ca.location": self.ca, "ssl.certificate.location": self.cert, "ssl.key.location": self.key or self.cert}
        return told | {name: str(path) for name, path in files.items() if self.tls and path is not None}

    def check(self) -> None:
        """Raises InvalidOption for what does not go together, and for files that cannot be taken."""
        named = {"bus.kafka_ca": self.ca, "bus.kafka_cert": self.cert, "bus.kafka_key": self.key}
        if not self.tls and (idle := [name for name, path in named.items() if path is not None]):
            raise InvalidOption(f"{idle[0]} is for TLS: let bus.url begin with kafka+ssl:// in place of kafka://")
        if bool(self.user) != bool(self.password):
            raise InvalidOption("bus.kafka_user and bus.kafka_password need each other: set both, or none")
        if self.user and self.mechanism == PLAIN and not self.tls:
            raise InvalidOption(
                "bus.kafka_sasl is PLAIN, which would send the password to whoever listens: "
                "use a bus.url that begins with kafka+ssl://, or SCRAM-SHA-512"
            )
        if self.key is not None and self.cert is None:
            raise InvalidOption("bus.kafka_key is set and bus.kafka_cert, the certificate that it belongs to, is not")
        for name, path in named.items():
            _check_readable(name, path)
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except ssl.SSLError:
            raise InvalidOption(f"bus.kafka_ca: expected certificates in PEM in {self.ca}, got something else") from None
        if self.cert is not None:
            try:
                # An encrypted key would ask for its passphrase on the terminal; this one is wrong, and makes it fail.
                context.load_cert_chain(self.cert, self.key, password=lambda: b"")
            except ssl.SSLError:
                whole = (
                    f"a certificate in PEM in {self.cert} and its private key, without a passphrase, in {self.key or self.cert}"
                )
                raise InvalidOption(f"bus.kafka_cert: expected {whole}; got something else") from None

    def refusal(self, complaints: Iterable[str]) -> str:
        """What Kafka has against this client, to follow "Kafka at ...", as librdkafka told of it; empty where that is nothing."""
        said = " ".join(complaints)
        for sign, meaning in _REFUSALS.items():
            if found := re.search(sign, said):
                ca = "the authorities that this system knows" if self.ca is None else str(self.ca)
                return meaning.format(*(part.replace(",", ", ") for part in found.groups()), mechanism=self.mechanism, ca=ca)
        return ""

    @property
    def silence(self) -> str:
        """Why Kafka may end connections without a word."""
        if self.tls:
            return "does it want credentials (bus.kafka_user), or a certificate (bus.kafka_cert)?"
        return "does it speak TLS there (a bus.url with kafka+ssl://), or want credentials (bus.kafka_user)?"


def _check_readable(name: str, path: Path | None) -> None:
    if path is not None:
        try:
            path.open("rb").close()
        except OSError as error:
            raise InvalidOption(f"{name}: cannot read {path}: {error.strerror}") from None
