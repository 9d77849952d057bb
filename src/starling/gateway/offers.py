"""What a client is offered: what the engine can do, as soon as that is known and as far as its tenant may use it."""

from __future__ import annotations

from dataclasses import replace

from starling.auth.tenants import Feature, Tenant
from starling.core.config import SessionConfig
from starling.core.errors import Overloaded
from starling.core.ports import Capabilities
from starling.protocols.verbs import Offer


class Ability:
    """What recognition can do. A gateway listens before it knows: ``known`` is None until a recognizer has said it."""

    def __init__(self, *, retry_after: float) -> None:
        self.known: Capabilities | None = None
        self._retry_after = retry_after

    @property
    def capabilities(self) -> Capabilities:
        """Raises Overloaded while nobody knows."""
        if self.known is None:
            raise Overloaded("the server is starting; see /readyz", gate="gateway", retry_after=self._retry_after)
        return self.known


def offer(tenant: Tenant, able: Capabilities, defaults: SessionConfig) -> Offer:
    """Of what the engine is ``able`` to do, what ``tenant`` may use; ``defaults``: the options of who gives none."""
    allowed = replace(
        able,
        word_times=able.word_times and tenant.may(Feature.WORDS),
        hotwords=able.hotwords and tenant.may(Feature.HOTWORDS),
    )
    return Offer(capabilities=allowed, defaults=defaults)
