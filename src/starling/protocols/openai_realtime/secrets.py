"""Client secrets as OpenAI's clients ask for them: a session, described beforehand, and how long it may be opened.

The description travels inside the secret. Who signed it is not known here: that is asked before an adapter is made.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from starling.core.errors import InvalidMessage, InvalidOption
from starling.protocols.foreign import Head, authorization
from starling.protocols.openai_realtime.sessions import TranscriptionSession
from starling.protocols.verbs import Offer

PREFIX: Final = "ek_"
"""What a secret begins with; then comes the session, up to a dot."""

KEY: Final = "openai-insecure-api-key."
"""What a browser puts before a key or a secret, in a subprotocol."""


@dataclass(frozen=True, slots=True)
class SecretRequest:
    """``lifetime``: seconds, None for the usual. ``session``: as of ``session.update``."""

    lifetime: int | None
    session: Mapping[str, Any]

    @property
    def note(self) -> str:
        """``session`` as it is in a secret."""
        return urlsafe_b64encode(msgspec.json.encode(self.session)).decode().rstrip("=")


def secret_request(body: bytes, offer: Offer) -> tuple[SecretRequest, TranscriptionSession]:
    """What a request asks for, and the session as it would be. Raises InvalidMessage and InvalidOption."""
    try:
        asked = msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except (ValueError, RecursionError):
        raise InvalidMessage("expected a JSON object, got something else") from None
    expires, given = asked.get("expires_after") or {}, asked.get("session") or {}
    if not isinstance(expires, dict) or expires.get("anchor", "created_at") != "created_at":
        raise InvalidOption("expires_after must be an object with the anchor created_at")
    lifetime = expires.get("seconds")
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | None):
        raise InvalidOption("expires_after.seconds must be a whole number")
    if not isinstance(given, dict):
        raise InvalidOption("session must be an object")
    session = TranscriptionSession(offer)
    session.update(given, begun=False)
    wanted = {name: given[name] for name in ("audio", "include") if name in given}
    return SecretRequest(lifetime, wanted), session


def shown(head: Head) -> str | None:
    """The key or secret after ``Authorization: Bearer``, or in the subprotocol in which a browser offers it."""
    offered = next((name.removeprefix(KEY) for name in head.subprotocols if name.startswith(KEY)), None)
    return authorization(head) or offered


def described(head: Head) -> Mapping[str, Any]:
    """The session in the secret that ``head`` shows; nothing if it shows none."""
    secret = shown(head) or ""
    if not secret.startswith(PREFIX):
        return {}
    note = secret.removeprefix(PREFIX).partition(".")[0]
    try:
        return msgspec.json.decode(urlsafe_b64decode(note + "=" * (-len(note) % 4)), type=dict[str, Any])
    except (ValueError, RecursionError):
        raise InvalidMessage("expected a client secret as this server issued it, got another") from None
