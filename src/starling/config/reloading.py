"""Which settings take effect while a server runs. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from starling.config.settings import Settings

RELOADED: Final = frozenset({"segmentation", "scheduler", "log"})
"""Groups that concern nothing but how a recognizer works. Everything else is laid down when a server starts: the engine too,
since any recognizer may go on with a session of any other."""

RELOADED_IN_PLACE: Final = frozenset({"segmentation", "log"})
"""Those of them that a recognizer takes which nobody replaces, because everything is one process."""

OTHERS: Final = frozenset({"client"})
"""Groups that no server reads."""


def reloaded(running: Settings, read: Settings, groups: Collection[str] = RELOADED) -> tuple[Settings, tuple[str, ...]]:
    """What a server with the settings ``running`` goes on with when it reads ``read``, and what of that needs a restart.

    ``groups``: those that it takes. What needs a restart are names as ``engine.precision``, of settings that stay as they are.
    """
    taken = {group: getattr(read, group) for group in groups}
    before, after = running.model_dump(), read.model_dump()
    waiting = sorted(
        f"{group}.{name}"
        for group in after.keys() - set(groups) - OTHERS
        for name in after[group]
        if after[group][name] != before[group][name]
    )
    return running.model_copy(update=taken), tuple(waiting)
