"""How much of a dialect is spoken: a table that adapters look up, and from which the pages in ``docs/protocols`` are written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from starling.core.errors import InvalidOption


class Treatment(StrEnum):
    """What becomes of something that a client of the other server may send."""

    SUPPORTED = "supported"
    IGNORED = "ignored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Term:
    """One field or message of a dialect. ``harmless``: values with which a field that is refused may be sent all the same."""

    treatment: Treatment
    note: str
    harmless: tuple[object, ...] = ()


def supported(note: str) -> Term:
    """It does what it does there, as far as ``note`` does not say otherwise."""
    return Term(Treatment.SUPPORTED, note)


def ignored(note: str) -> Term:
    """It makes no difference, and ``note`` says why that is no harm."""
    return Term(Treatment.IGNORED, note)


def refused(note: str, harmless: tuple[object, ...] = ()) -> Term:
    """Whoever asks for it is told no."""
    return Term(Treatment.REFUSED, note, harmless)


def check(terms: Mapping[str, Term], given: Mapping[str, object]) -> None:
    """Raises InvalidOption if ``given`` has a field that is refused, with a value that asks for something."""
    for name, value in given.items():
        term = terms.get(name)
        if term is not None and term.treatment is Treatment.REFUSED and not _among(value, term.harmless):
            raise InvalidOption(f"{name} is not offered here ({term.note}): leave it out")


def _among(value: object, harmless: Collection[object]) -> bool:
    return value is None or any(type(value) is type(other) and value == other for other in harmless)


def table(terms: Mapping[str, Term]) -> str:
    """``terms`` as a table in Markdown."""
    rows = [f"| {name} | {term.treatment} | {term.note} |" for name, term in terms.items()]
    return "\n".join(["| what | | |", "|---|---|---|", *rows]) + "\n"
