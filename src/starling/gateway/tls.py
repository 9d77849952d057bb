"""TLS at the gateway's own socket: certificate and key from files, read again when they change."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final, TypeAlias

from starling.core.errors import InvalidOption
from starling.gateway.options import GatewayOptions
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

HANDSHAKE_TIMEOUT: Final = 10.0
"""Seconds a client has to shake hands."""

Mark: TypeAlias = tuple[tuple[int, int], ...]
"""Inode and time of change in nanoseconds of each file."""


class Certificate:
    """A server's TLS context. Raises InvalidOption for files that are missing, no PEM, or do not belong together."""

    def __init__(self, cert: Path, key: Path | None) -> None:
        self._cert = cert
        self._key = key
        self._mark = self._marked()
        self.pair = b"", b""  # private key and certificates in PEM, for who makes a context of its own
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._load()

    def refresh(self) -> None:
        """Take renewed files for the connections to come. Ones that are no good are left aside, and the old ones serve on."""
        mark = self._marked()
        if mark == self._mark:
            return
        self._mark = mark
        try:
            Certificate(self._cert, self._key)  # tried on another context: half a pair must not spoil this one
            self._load()
            log.info("certificate renewed")
        except InvalidOption as error:
            log.warning("renewed certificate is no good; the one before serves on", message=error.message)

    def _load(self) -> None:
        cert, key = self._cert, self._key
        try:
            # An encrypted key would ask for its passphrase on the terminal; this one is wrong, and makes it fail.
            self.context.load_cert_chain(cert, key, password=lambda: b"")
            self.pair = (key or cert).read_bytes(), cert.read_bytes()
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise InvalidOption(f"the private key in {key or cert} does not belong to the certificate in {cert}") from None
            whole = (
                f"expected a certificate in PEM in {cert} and its private key, without a passphrase, in {key or 'the same file'}"
            )
            raise InvalidOption(f"{whole}, got something else") from None
        except OSError as error:
            missing = next((path for path in (cert, key) if path is not None and not path.is_file()), cert)
            raise InvalidOption(f"cannot read {missing} for TLS: {error.strerror}") from None

    def _marked(self) -> Mark:
        try:
            found = [path.stat() for path in (self._cert, self._key) if path is not None]
        except OSError:
            return ()
        return tuple((one.st_ino, one.st_mtime_ns) for one in found)


def certificate(options: GatewayOptions) -> Certificate | None:
    """What ``options`` name, if anything."""
    return None if options.tls_cert is None else Certificate(options.tls_cert, options.tls_key)
