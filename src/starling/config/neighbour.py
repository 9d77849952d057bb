"""Who has the port already: another Starling?"""

from __future__ import annotations

import json
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final

PATIENCE: Final = 1.0
"""Seconds that whoever listens has for its answer."""

LONGEST: Final = 4096
"""Bytes of an answer that are read."""

HERE: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on


def running_version(host: str, port: int) -> str | None:
    """The version of the Starling that listens on ``host`` and ``port`` of this machine; None for anything else."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it gets no secret, only a question
    address = HERE.get(host, host)
    for connection in (
        HTTPConnection(address, port, timeout=PATIENCE),
        HTTPSConnection(address, port, timeout=PATIENCE, context=context),
    ):
        try:
            connection.request("GET", "/version")
            said = json.loads(connection.getresponse().read(LONGEST))
        except (OSError, HTTPException, ValueError):
            continue
        finally:
            connection.close()
        if isinstance(said, dict) and {"version", "model", "model_version"} <= said.keys():
            return str(said["version"])[:20]
    return None
