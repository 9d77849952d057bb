"""Each package's share of the settings."""

from __future__ import annotations

from dataclasses import replace

from starling.config.settings import Settings
from starling.core.audio import samples
from starling.core.config import SessionConfig
from starling.core.errors import InvalidOption
from starling.core.ports import Capabilities
from starling.gateway.options import GatewayOptions
from starling.scheduler.batcher import BatchOptions
from starling.session.options import SegmentationOptions
from starling.telemetry.logs import LogOptions
from starling.vad.gate import GateOptions


def session_config(settings: Settings) -> SessionConfig:
    """What a session gets that does not choose."""
    chosen = settings.session
    return SessionConfig(
        language=chosen.language,
        partials=chosen.partials,
        partial_interval=chosen.partial_interval_ms / 1000,
        endpoint_silence=chosen.endpoint_silence_ms / 1000,
        words=chosen.words,
        vad=chosen.vad,
        quality=chosen.quality,
    )


def gateway_options(settings: Settings) -> GatewayOptions:
    """The gateway's share of the settings."""
    return GatewayOptions(
        defaults=session_config(settings),
        gate=GateOptions(**settings.gate.model_dump()),
        **settings.server.model_dump(exclude={"drain_grace"}),
    )


def segmentation_options(settings: Settings) -> SegmentationOptions:
    """How sessions are cut into segments."""
    return SegmentationOptions(**settings.segmentation.model_dump())


def log_options(settings: Settings) -> LogOptions:
    """What the log shows, and how."""
    return LogOptions(level=settings.log.level, format=settings.log.format)


def max_lead(settings: Settings) -> int:
    """In samples. Raises InvalidOption for one in which a segment might never end, and its client wait for ever."""
    lead, needed = settings.audio_log.max_lead_seconds, segmentation_options(settings).longest_uncommitted
    if lead < needed:
        raise InvalidOption(
            f"audio_log.max_lead_seconds must be at least {needed:g}, which segmentation.idle_checkpoint and "
            f"segmentation.max_segment may take before anything is committed; got {lead:g}"
        )
    return samples(lead)


def batching(settings: Settings, capabilities: Capabilities) -> BatchOptions:
    """The scheduler's share of the settings, as far as the engine gains by it."""
    chosen = BatchOptions(**settings.scheduler.model_dump())
    return replace(chosen, max_batch=min(chosen.max_batch, capabilities.batch_size))
