"""Which of an engine's languages serves the one a stream asks for."""

from __future__ import annotations

from collections.abc import Sequence

from starling.core.errors import InvalidOption


def match_language(wanted: str, languages: Sequence[str]) -> str:
    """The tag out of ``languages`` that serves ``wanted``: itself, or the nearest more general one (``en`` for ``en-US``).

    Tags compare without regard to case, as in RFC 4647 section 3.4 (lookup). Raises InvalidOption when none serves it.
    """
    spoken = {language.lower(): language for language in languages}
    subtags = wanted.lower().split("-")
    while subtags:
        match = spoken.get("-".join(subtags))
        if match is not None:
            return match
        subtags.pop()
    raise InvalidOption(f"language must be one of {', '.join(languages)} (or a variant such as en-GB of en), got {wanted[:35]!r}")
