"""The error of a code: what travels as a code and a message between processes gets back its kind."""

from __future__ import annotations

from typing import Final

from starling.core import errors
from starling.core.errors import IllegalTransition, StarlingError

KINDS: Final[dict[str, type[StarlingError]]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, StarlingError) and not issubclass(kind, IllegalTransition)
}
"""Every error of ``core.errors`` that a client may hear of, by its code."""


def kind_of(code: str) -> type[StarlingError]:
    """The class whose code is ``code``; StarlingError itself, an internal error, if there is none."""
    return KINDS.get(code, StarlingError)
