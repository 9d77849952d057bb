"""When processes of a server ended, by what its supervisor says in the log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

ENDED: Final = frozenset({"process ended", "template ended"})


@dataclass(frozen=True, slots=True)
class Ending:
    """A process was reaped, ``at`` seconds since the epoch. ``role``: the first word of what it is called in the log."""

    at: float
    role: str


def endings(log: Iterable[str]) -> list[Ending]:
    """Those in the lines of a ``log`` in JSON, in their order. Lines that are none are left out."""
    found = []
    for line in log:
        if not line.startswith("{"):
            continue
        said = json.loads(line)
        if said["event"] in ENDED:
            role = said.get("member", "template").partition("-")[0]
            found.append(Ending(datetime.fromisoformat(said["timestamp"]).timestamp(), role))
    return found


def first_after(ended: Iterable[Ending], role: str, at: float, within: float) -> float | None:
    """Seconds from ``at`` to the first ending in ``role``, None if there is none ``within`` so many."""
    return next((one.at - at for one in ended if one.role == role and 0 <= one.at - at < within), None)
