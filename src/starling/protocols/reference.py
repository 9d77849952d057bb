"""Prints the table of errors that ``docs/protocol.md`` holds: ``python -m starling.protocols.reference``."""

from __future__ import annotations

import sys

from starling.core.errors import ClientError, ServerError, StarlingError
from starling.protocols.errors import KINDS


def error_table() -> str:
    """Every error that can reach a client, from ``core.errors``, as a table in Markdown."""
    rows = ["| code | meaning | whose fault | retryable | HTTP | close code |", "|---|---|---|---|---|---|"]
    for kind in KINDS.values():
        meaning = _first_sentence(kind)
        retryable = "yes" if kind.retryable else "no"
        rows.append(
            f"| `{kind.code}` | {meaning} | {_fault(kind)} | {retryable} | {kind.http_status} | {kind.close_code} |",
        )
    return "\n".join(rows) + "\n"


def _first_sentence(kind: type[StarlingError]) -> str:
    text = " ".join((kind.__doc__ or "").partition("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".").replace("``", "`")


def _fault(kind: type[StarlingError]) -> str:
    if issubclass(kind, ClientError):
        return "client"
    return "server" if issubclass(kind, ServerError) or kind is StarlingError else "nobody"


if __name__ == "__main__":
    sys.stdout.write(error_table())
