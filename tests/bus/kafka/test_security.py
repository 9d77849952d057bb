"""Brokers that want TLS, passwords or certificates: who is let in, and what those are told who are not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from bus.kafka.rig import fresh
from gateway.certificates import make_certificate
from kafka_doors import PLAIN_PASSWORD, SCRAM_PASSWORD, USER, Guarded, guarded
from patience import PATIENCE
from starling.app.kafka import kafka_cluster
from starling.bus.kafka.cluster import Cluster, KafkaOptions
from starling.bus.kafka.security import Security
from starling.bus.kafka.tail import values_between
from starling.bus.kafka.writer import Writer
from starling.config.groups.platform import Bus, Sasl
from starling.config.loading import load_settings
from starling.config.settings import Settings
from starling.core.errors import InvalidOption, ServerError

Way: TypeAlias = Callable[[Guarded], Security]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


def through(kafka: Guarded, door: str, security: Security) -> KafkaOptions:
    address = kafka.broker.behind(door) if door else kafka.broker.address
    return replace(fresh(kafka.broker), brokers=address, security=security)


async def checked(options: KafkaOptions, attempt: float = PATIENCE) -> Cluster:
    cluster = Cluster(options, attempt=attempt)
    try:
        await cluster.check()
    finally:
        cluster.close()
    return cluster


PLAIN: Way = lambda kafka: kafka.secure("PLAIN", PLAIN_PASSWORD)  # noqa: E731 - a row of a table
SCRAM: Way = lambda kafka: kafka.secure()  # noqa: E731 - a row of a table
MUTUAL: Way = lambda kafka: Security(  # noqa: E731 - a row of a table
    tls=True, ca=kafka.cert("server"), cert=kafka.cert("client"), key=kafka.key("client")
)
UNENCRYPTED: Way = lambda _: Security(mechanism="SCRAM-SHA-512", user=USER, password=SCRAM_PASSWORD)  # noqa: E731 - a row


@pytest.mark.parametrize(
    ("door", "way"),
    [("SECURE", PLAIN), ("SECURE", SCRAM), ("MUTUAL", MUTUAL), ("OPEN", UNENCRYPTED)],
    ids=["password", "scram", "certificate", "scram-without-tls"],
)
def test_who_is_let_in_writes_and_reads(kafka: Guarded, door: str, way: Way) -> None:
    options = through(kafka, door, way(kafka))
    options.security.check()

    async def scenario() -> list[bytes]:
        await checked(options)
        writer = Writer(options)
        try:
            offset = await writer.send(0, "s", b"sound")
            return await asyncio.to_thread(lambda: list(values_between(options, 0, "s", offset, offset + 1)))
        finally:
            await writer.close()

    assert asyncio.run(scenario()) == [b"sound"]


REFUSED: dict[str, tuple[str, Way, str]] = {
    "password": ("SECURE", lambda kafka: kafka.secure("PLAIN", "nobody's"), "refuses these credentials (PLAIN)"),
    "scram": ("SECURE", lambda kafka: kafka.secure(password=PLAIN_PASSWORD), "refuses these credentials (SCRAM-SHA-512)"),
    "mechanism": ("SECURE", lambda kafka: kafka.secure("SCRAM-SHA-256"), "takes PLAIN, SCRAM-SHA-512, not SCRAM-SHA-256"),
    "authority": (
        "SECURE",
        lambda kafka: replace(kafka.secure(), ca=kafka.cert("client")),
        "client.crt (bus.kafka_ca) does not vouch for",
    ),
    "no-authority": (
        "SECURE",
        lambda kafka: replace(kafka.secure(), ca=None),
        "the authorities that this system knows (bus.kafka_ca) does not vouch for",
    ),
    "host": ("OTHER", lambda kafka: Security(tls=True, ca=kafka.cert("other")), "is for another name than the one in bus.url"),
    "certificate": ("MUTUAL", lambda kafka: Security(tls=True, ca=kafka.cert("server")), "wants a certificate of this client"),
    "stranger": (
        "MUTUAL",
        lambda kafka: Security(tls=True, ca=kafka.cert("server"), cert=kafka.cert("other"), key=kafka.key("other")),
        "wants a certificate of this client, one that it knows",
    ),
    "no-tls": ("", lambda kafka: Security(tls=True, ca=kafka.cert("server")), "speaks no TLS at this port"),
    "no-sasl": ("", UNENCRYPTED, "asks nobody for credentials at this port"),
}


@pytest.mark.parametrize(("door", "way", "told"), REFUSED.values(), ids=REFUSED)
def test_who_is_not_let_in_is_told_why(kafka: Guarded, door: str, way: Way, told: str) -> None:
    with pytest.raises(InvalidOption) as refused:
        asyncio.run(checked(through(kafka, door, way(kafka))))
    assert told in refused.value.message
    assert "s3cret" not in refused.value.message


@pytest.mark.parametrize(
    ("door", "told"), [("SECURE", "does it speak TLS there"), ("OPEN", "want credentials")], ids=["to-tls", "to-sasl"]
)
def test_a_broker_that_hangs_up_lets_one_guess(kafka: Guarded, door: str, told: str) -> None:
    until = time.monotonic() + PATIENCE
    while True:  # within one attempt a slow broker may not even have hung up
        with pytest.raises(ServerError) as refused:
            asyncio.run(checked(through(kafka, door, Security()), attempt=2.0))
        if "ends every connection without a word" in refused.value.message:
            break
        assert time.monotonic() < until, refused.value.message
    assert told in refused.value.message


def test_who_is_no_longer_let_in_says_so_in_its_health(kafka: Guarded) -> None:
    async def scenario() -> str:
        cluster = Cluster(through(kafka, "SECURE", kafka.secure("PLAIN", "nobody's")))
        looking = asyncio.create_task(cluster.run())
        try:
            async with asyncio.timeout(PATIENCE):
                while "refuses these credentials" not in cluster.trouble:  # noqa: ASYNC110 - another thread's
                    await asyncio.sleep(0.01)
            return cluster.trouble
        finally:
            looking.cancel()
            await asyncio.wait([looking])
            cluster.close()

    told = asyncio.run(scenario())
    assert told.startswith("Kafka at kafka+ssl://127.0.0.1:")


def settings(directory: Path, **bus: str) -> Settings:
    variables = {f"STARLING_BUS__{name.upper()}": value for name, value in bus.items()}
    return load_settings(environ=variables | {"STARLING_BUS__STORE": "redis://127.0.0.1:1/0"}, directory=directory).settings


def refusal(found: Settings) -> str:
    async def scenario() -> None:
        async with kafka_cluster(found):
            pass

    with pytest.raises(InvalidOption) as refused:
        asyncio.run(scenario())
    return refused.value.message


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"url": "kafka://h:1", "kafka_ca": "ca.pem"}, "bus.kafka_ca is for TLS"),
        ({"url": "kafka://h:1", "kafka_user": "u"}, "bus.kafka_user and bus.kafka_password need each other"),
        ({"url": "kafka+ssl://h:1", "kafka_password": "p"}, "bus.kafka_user and bus.kafka_password need each other"),
        ({"url": "kafka://h:1", "kafka_user": "u", "kafka_password": "p", "kafka_sasl": "PLAIN"}, "whoever listens"),
        ({"url": "kafka+ssl://h:1", "kafka_key": "key.pem"}, "bus.kafka_cert, the certificate that it belongs to, is not"),
        ({"url": "kafka+ssl://h:1", "kafka_ca": "nothing.pem"}, "bus.kafka_ca: cannot read nothing.pem"),
        ({"url": "kafka+ssl://u:p@h:1"}, "without credentials: these are bus.kafka_user and bus.kafka_password"),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_together_are_refused(tmp_path: Path, given: dict[str, str], told: str) -> None:
    assert told in refusal(settings(tmp_path, **given))


def test_files_that_are_no_certificates_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello")
    cert, locked = make_certificate(tmp_path, "locked", passphrase="a word")  # noqa: S106 - of a test's own key
    url = "kafka+ssl://h:1"
    assert "expected certificates in PEM" in refusal(settings(tmp_path, url=url, kafka_ca=str(tmp_path / "ca.pem")))
    told = refusal(settings(tmp_path, url=url, kafka_cert=str(cert), kafka_key=str(locked)))
    assert "without a passphrase" in told


def test_the_password_is_shown_nowhere(tmp_path: Path) -> None:
    variables = {"STARLING_BUS__KAFKA_PASSWORD": SCRAM_PASSWORD, "STARLING_BUS__KAFKA_USER": USER}
    loaded = load_settings(environ=variables, directory=tmp_path)
    assert loaded.settings.bus == Bus(kafka_password=SCRAM_PASSWORD, kafka_user=USER, kafka_sasl=Sasl.SCRAM_SHA_512)
    assert SCRAM_PASSWORD not in str(loaded.effective())
    security = Security(user=USER, password=SCRAM_PASSWORD, mechanism="SCRAM-SHA-512")
    assert SCRAM_PASSWORD not in repr(KafkaOptions(brokers="h:1", security=security))
