"""TLS at the gateway's own socket."""

from __future__ import annotations

import asyncio
import logging
import shutil
import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from auth.test_keys import add
from gateway.certificates import make_certificate
from gateway.gateway_harness import BRIEFLY, run, served
from starling.app.options import addresses, gateway_options
from starling.client import Refused, Unreachable, connect
from starling.config.groups.edge import Server
from starling.config.neighbour import running_version
from starling.config.settings import Settings
from starling.core.errors import InvalidOption, QuotaExceeded
from starling.gateway import server as gateway_server
from starling.gateway.options import GatewayOptions
from starling.gateway.tls import Certificate, certificate
from starling.version import __version__


def test_a_client_that_trusts_the_certificate_has_a_session_and_others_have_none(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    other, _ = make_certificate(tmp_path, "other")

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, tls_cert=cert, tls_key=key)) as it:
            url = f"wss://{it.authority}"
            async with connect(url, ca=cert) as session:
                await session.send(bytes(32_000))
                await session.end()
                said = [type(message).__name__ async for message in session]
                assert said[-1] == "Done"
            assert await asyncio.to_thread(running_version, it.host, it.port) == __version__
            for stranger in (None, other):
                with pytest.raises(Unreachable, match=r"cannot be trusted .* --ca"):
                    async with connect(url, ca=stranger):
                        pass
            with pytest.raises(Refused, match=rf"if it serves TLS, its address is wss://{it.authority}/v1/stream"):
                async with connect(f"ws://{it.authority}"):
                    pass
        async with served(GatewayOptions(port=0)) as plain:
            with pytest.raises(Unreachable, match=rf"if it serves none, its address is ws://{plain.authority}/v1/stream"):
                async with connect(f"wss://{plain.authority}", ca=cert):
                    pass
            assert await asyncio.to_thread(running_version, plain.host, plain.port) == __version__

    run(scenario)


def test_nothing_older_than_tls_1_2_is_spoken(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    assert Certificate(cert, key).context.minimum_version is ssl.TLSVersion.TLSv1_2

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, tls_cert=cert, tls_key=key)) as it:
            new = ssl.create_default_context(cafile=cert)
            reader, writer = await asyncio.open_connection(it.host, it.port, ssl=new)
            writer.write(f"GET /healthz HTTP/1.1\r\nHost: {it.authority}\r\nConnection: close\r\n\r\n".encode())
            assert b"200 OK" in await reader.read(-1)
            writer.close()

    run(scenario)


def test_who_never_shakes_hands_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = make_certificate(tmp_path)
    monkeypatch.setattr(gateway_server, "HANDSHAKE_TIMEOUT", BRIEFLY)

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, tls_cert=cert, tls_key=key)) as it:
            for said in (b"", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n"):
                reader, writer = await asyncio.open_connection(it.host, it.port)
                writer.write(said)
                with suppress(ConnectionResetError):
                    await reader.read(-1)
                writer.close()

    run(scenario)


def test_a_renewed_certificate_is_taken_and_one_that_is_no_good_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cert, key = make_certificate(tmp_path)
    new_cert, new_key = make_certificate(tmp_path, "new")
    caplog.set_level(logging.INFO)

    async def greeted(it_authority: str, ca: Path) -> None:
        async with connect(f"wss://{it_authority}", ca=ca):
            pass

    async def scenario() -> None:
        async with served(GatewayOptions(port=0, tls_cert=cert, tls_key=key)) as it:
            old = tmp_path / "old.crt"
            shutil.copy(cert, old)
            await greeted(it.authority, old)
            shutil.copy(new_cert, cert)  # the key is still the old one
            await greeted(it.authority, old)
            await greeted(it.authority, old)
            shutil.copy(new_key, key)
            await greeted(it.authority, old)  # the connection that notices still has the old one
            await greeted(it.authority, new_cert)

    run(scenario)
    assert "does not belong to the certificate" in caplog.text


def test_wrong_files_are_clear_errors_at_the_start(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    _, other = make_certificate(tmp_path, "other")
    locked_cert, locked = make_certificate(tmp_path, "locked", passphrase="secret")  # noqa: S106 - of a throw-away key
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no PEM")
    for files, says in (
        ((tmp_path / "none.crt", key), "cannot read .*none.crt"),
        ((cert, tmp_path / "none.key"), "cannot read .*none.key"),
        ((garbage, key), "expected a certificate in PEM in .*garbage.pem"),
        ((cert, garbage), "expected a certificate in PEM"),
        ((cert, None), "in the same file"),
        ((cert, other), "does not belong to the certificate"),
        ((locked_cert, locked), "without a passphrase"),
    ):
        with pytest.raises(InvalidOption, match=says):
            certificate(GatewayOptions(tls_cert=files[0], tls_key=files[1]))
    with pytest.raises(InvalidOption, match="expected tls_cert beside tls_key"):
        GatewayOptions(tls_key=key)
    assert certificate(GatewayOptions()) is None


def test_the_settings_lead_to_secure_addresses(tmp_path: Path) -> None:
    options = gateway_options(Settings(server=Server(tls_cert=tmp_path / "a.crt")))
    assert addresses(options, "::1", 8443) == ("https://[::1]:8443/", "wss://[::1]:8443/v1/stream")
    assert addresses(gateway_options(Settings()), "127.0.0.1", 1)[0] == "http://127.0.0.1:1/"


def test_a_key_that_is_wanted_and_a_quota_that_is_used_up_are_said_in_words(tmp_path: Path) -> None:
    token, _ = add(tmp_path / "keys.json")

    async def scenario() -> None:
        options = GatewayOptions(port=0, keys_file=tmp_path / "keys.json", opens_per_minute=2)
        async with served(options, still=True) as it:
            with pytest.raises(Refused, match=r"good API key .*STARLING_API_KEY"):
                async with connect(it.uri):
                    pass
            for _ in range(2):
                async with connect(it.uri, api_key=token):
                    pass
            with pytest.raises(Exception, match="connections a minute") as refused:
                async with connect(it.uri, api_key=token):
                    pass
            assert refused.value.retry_after >= 1  # type: ignore[attr-defined]  # Overloaded
            assert QuotaExceeded.http_status == 429

    run(scenario)


def test_a_file_of_authorities_that_is_none_is_a_clear_error(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no PEM")

    async def scenario() -> None:
        for ca, says in ((garbage, "expected certificates in PEM"), (tmp_path / "none.pem", "cannot read the certificates")):
            with pytest.raises(InvalidOption, match=says):
                async with connect("wss://127.0.0.1:1", ca=ca):
                    pass

    run(scenario)
