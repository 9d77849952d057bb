"""S3Proxy, a server that speaks S3 and checks signatures; its objects are in memory."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from maven import jars
from patience import PATIENCE

POM: Final = Path(__file__).with_name("s3proxy_pom.xml")
QUIET: Final = '<configuration><root level="WARN"/></configuration>\n'
JAVA: Final = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlogback.configurationFile=logback.xml")


@contextmanager
def s3proxy(key: str, secret: str) -> Iterator[str]:
    """Its URL while the block runs; ``key`` and ``secret`` are let in. Raises JarsMissing where there can be none."""
    program = jars(POM, "s3proxy", "s3proxy-*.jar")
    with tempfile.TemporaryDirectory(prefix="starling-s3-", ignore_cleanup_errors=True) as directory:
        place = Path(directory)
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        (place / "logback.xml").write_text(QUIET)
        (place / "s3proxy.conf").write_text("".join(f"{name}={value}\n" for name, value in _settings(port, key, secret).items()))
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own words
                ["/usr/bin/env", "java", *JAVA, "-cp", f"{program}/*", "org.gaul.s3proxy.Main", "--properties", "s3proxy.conf"],
                cwd=place,
                stdout=log,
                stderr=log,
            )
        try:
            _wait(process, port, place / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def _settings(port: int, key: str, secret: str) -> dict[str, str]:
    return {
        "s3proxy.endpoint": f"http://127.0.0.1:{port}",
        "s3proxy.authorization": "aws-v2-or-v4",
        "s3proxy.identity": key,
        "s3proxy.credential": secret,
        "s3proxy.ignore-unknown-headers": "true",  # it knows no x-amz-checksum-sha256, with which obstore deletes
        "jclouds.provider": "transient-nio2",
        "jclouds.identity": key,
        "jclouds.credential": secret,
    }


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, f"S3Proxy ended at once: {log.read_text()[-2000:]}"
        assert time.monotonic() < until, f"S3Proxy does not answer: {log.read_text()[-2000:]}"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
