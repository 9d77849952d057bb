"""What an answer in another server's shape says of its recording: fields that its clients let pass, and a header besides.

There is nothing of it where there is nothing to say, as those servers answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starling.core.jobs import JobWarning

HEADER: Final = "Starling-Warnings"
"""The codes, for answers that are no JSON."""


def warned(warnings: Sequence[JobWarning]) -> dict[str, Any]:
    """The field ``warnings``, as Starling's own API has it, if there are any."""
    said = [{"code": one.code, "message": one.message, "at": None if one.at is None else round(one.at, 3)} for one in warnings]
    return {"warnings": said} if said else {}


def warning_headers(warnings: Sequence[JobWarning]) -> dict[str, str]:
    """The header, if there are any."""
    return {HEADER: ", ".join(one.code for one in warnings)} if warnings else {}
