"""What the dialects of other servers have in common: how a request begins, and all that none of them knows."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starling.core.errors import StarlingError
from starling.protocols.verbs import Frame, Opened, OpenRequest, Verb, plain_closing


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The request that a client begins with.

    ``query``: decoded, in order; repeated names stay repeated. ``headers``: by their names in lower case. ``subprotocols``: as
    offered.
    """

    path: str = "/"
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    subprotocols: tuple[str, ...] = field(default=(), repr=False)


class ForeignAdapter:
    """The verbs of ``verbs.Adapter`` that most dialects do without: nobody comes back, no audio is acknowledged."""

    forgives = False

    @property
    def lasts(self) -> bool:
        return False

    def connected(self) -> Sequence[Verb]:
        return ()

    def opened(self, session: Opened) -> Sequence[Frame]:
        del session
        return ()

    def resumed(self, session: Opened, request: OpenRequest, received: int, *, ended: bool) -> Sequence[Frame]:
        raise NotImplementedError  # no dialect has the verb Resume

    def acknowledged(self, received: int) -> Sequence[Frame]:
        del received
        return ()

    def closing(self, verdict: type[StarlingError] | None) -> tuple[int, str]:
        return plain_closing(verdict)


def authorization(head: Head) -> str | None:
    """The key in the header ``Authorization``: after ``Bearer``, or as the password of ``Basic``.

    The latter is what WebSocket libraries make of ``ws://anybody:KEY@host``: a client whose protocol knows no keys shows one so.
    """
    scheme, _, value = head.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                return b64decode(value, validate=True).decode().partition(":")[2]
            except (NotBase64, UnicodeDecodeError):
                return None
        case _:
            return None
