"""What a client is offered: what the engine can do, as far as its tenant may use it."""

from __future__ import annotations

from dataclasses import replace

from starling.auth.tenants import Feature, Tenant
from starling.core.config import SessionConfig
from starling.core.ports import Capabilities
from starling.protocols.verbs import Offer


def offer(tenant: Tenant, able: Capabilities, defaults: SessionConfig) -> Offer:
    """Of what the engine is ``able`` to do, what ``tenant`` may use; ``defaults``: the options of who gives none."""
    allowed = replace(
        able,
        word_times=able.word_times and tenant.may(Feature.WORDS),
        hotwords=able.hotwords and tenant.may(Feature.HOTWORDS),
    )
    return Offer(capabilities=allowed, defaults=defaults)
