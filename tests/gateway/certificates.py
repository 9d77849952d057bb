"""Certificates made when a test runs: none is in the repository, and none outlives its test."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from patience import PATIENCE


def make_certificate(
    directory: Path, name: str = "server", *, passphrase: str = "", of: str = "DNS:localhost,IP:127.0.0.1"
) -> tuple[Path, Path]:
    """Certificate and key for localhost, or whom ``of`` names, signed by itself: its own authority."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.fail("the tests of TLS make their certificates with openssl: apt-get install openssl")
    cert, key = directory / f"{name}.crt", directory / f"{name}.key"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    names = ["-subj", "/CN=localhost", "-addext", f"subjectAltName={of}"]
    lock = ["-passout", f"pass:{passphrase}"] if passphrase else ["-nodes"]
    command = [openssl, "req", "-x509", *curve, *lock, "-days", "2", *names, "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)  # noqa: S603 - found above, our own arguments
    return cert, key
