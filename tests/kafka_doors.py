"""A Kafka that does not let everybody in: listeners that want TLS, passwords or certificates, all made when a test runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._scram import (  # which the package passes on without saying that it does
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from gateway.certificates import make_certificate
from kafka_broker import Door, KafkaBroker, kafka_broker
from patience import PATIENCE
from starling.bus.kafka.security import Security

USER: Final = "starling"
PLAIN_PASSWORD: Final = "plain-s3cret"  # noqa: S105 - of a broker that ends with its test
SCRAM_PASSWORD: Final = "scram-s3cret"  # noqa: S105 - of a broker that ends with its test

_SASL: Final = {
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
    "plain.sasl.jaas.config": f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PLAIN_PASSWORD}";',
    "scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
}


@dataclass(frozen=True, slots=True)
class Guarded:
    """A broker that runs. Doors: ``SECURE`` (TLS and a password), ``MUTUAL`` (TLS and a certificate), ``OTHER`` (TLS, by a
    certificate for another host), ``OPEN`` (a password, no TLS). Certificates are their own authorities.
    """

    broker: KafkaBroker
    directory: Path

    def cert(self, name: str) -> Path:
        """Of ``server``, ``client`` or ``other``."""
        return self.directory / f"{name}.crt"

    def key(self, name: str) -> Path:
        return self.directory / f"{name}.key"

    def secure(self, mechanism: str = "SCRAM-SHA-512", password: str = SCRAM_PASSWORD) -> Security:
        """What leads through ``SECURE``."""
        return Security(tls=True, ca=self.cert("server"), mechanism=mechanism, user=USER, password=password)


@contextmanager
def guarded(directory: Path) -> Iterator[Guarded]:
    """For a test, as ``kafka_broker``. Certificates are made in ``directory``."""

    def identity(name: str, of: str) -> dict[str, object]:
        cert, key = make_certificate(directory, name, of=of)
        both = directory / f"{name}.pem"
        both.write_bytes(key.read_bytes() + cert.read_bytes())
        return {"ssl.keystore.type": "PEM", "ssl.keystore.location": both}

    server, other = identity("server", "DNS:localhost,IP:127.0.0.1"), identity("other", "DNS:elsewhere.example")
    identity("client", f"DNS:{USER}.example")
    known = {"ssl.client.auth": "required", "ssl.truststore.type": "PEM", "ssl.truststore.location": directory / "client.crt"}
    doors = (
        Door("SECURE", "SASL_SSL", server | _SASL),
        Door("MUTUAL", "SSL", server | known),
        Door("OTHER", "SSL", other),
        Door("OPEN", "SASL_PLAINTEXT", _SASL),
    )
    with kafka_broker(doors=doors) as broker:
        scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        user = UserScramCredentialUpsertion(USER, scram, SCRAM_PASSWORD.encode())
        admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
        admin.alter_user_scram_credentials([user])[USER].result(PATIENCE)
        yield Guarded(broker, directory)
