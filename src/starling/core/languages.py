"""Which of the languages on offer serves the one that was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from starling.core.errors import InvalidOption

SHOWN = 35
"""Characters of a wrong tag that its error gives back: as many as the longest real one has (RFC 5646 section 4.4.1)."""


def match_language(wanted: str, offered: Sequence[str]) -> str:
    """The tag out of ``offered`` that serves ``wanted``: itself, or the nearest more general one (``en`` for ``en-US``).

    Both are BCP 47 tags, compared without regard to case: RFC 4647 section 3.4 (lookup). Raises InvalidOption when none serves.
    """
    known = {tag.lower(): tag for tag in offered}
    tag = wanted.lower()
    while tag not in known:
        tag, _, dropped = tag.rpartition("-")
        if not dropped:
            raise InvalidOption(f"language must be one of {', '.join(offered)}, got {wanted[:SHOWN]!r}")
    return known[tag]
