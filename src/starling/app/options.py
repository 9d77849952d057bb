"""Each package's share of the settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from starling.auth.keyfile import keys_path, read_keyfile
from starling.config.groups.edge import AuthMode
from starling.config.settings import Settings
from starling.core.audio import samples, seconds
from starling.core.config import SessionConfig
from starling.core.errors import InvalidOption
from starling.core.ports import Capabilities
from starling.gateway.access import is_loopback
from starling.gateway.options import GatewayOptions
from starling.gateway.recordings.options import RecordingOptions, networks
from starling.protocols.dialects import spoken
from starling.protocols.registry import DIALECTS
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
        finished_silence=chosen.finished_silence_ms / 1000,
        words=chosen.words,
        partial_words=chosen.partial_words,
        vad=chosen.vad,
        quality=chosen.quality,
    )


def gateway_options(settings: Settings) -> GatewayOptions:
    """The gateway's share of the settings. Raises InvalidOption for a server that would let strangers in unasked."""
    return GatewayOptions(
        defaults=session_config(settings),
        gate=gate_options(settings),
        keys_file=keys_file(settings),
        protocols=spoken(settings.server.protocols, DIALECTS),
        **settings.server.model_dump(exclude={"drain_grace", "protocols"}),
        **settings.limits.model_dump(),
    )


def keys_file(settings: Settings) -> Path | None:
    """The file of API keys that clients are held to; None for an open server.

    Raises InvalidOption for one that others reach while it asks for no keys, unless that is said to be wanted.
    """
    path = keys_path(settings.auth.keys_file)
    hosts = {"host": settings.server.host}
    if settings.server.protocols:
        hosts["protocols_host"] = settings.server.protocols_host
    exposed = next((name for name, host in hosts.items() if not is_loopback(host)), None)
    match settings.auth.mode:
        case AuthMode.OPEN:
            return None
        case AuthMode.KEYS:
            if not read_keyfile(path).keys:
                raise InvalidOption(f"auth.mode is keys, but there are none in {path}: make one with `starling keys create NAME`")
            return path
        case AuthMode.AUTO:
            if read_keyfile(path).keys:
                return path
            if exposed is None:
                return None
            raise InvalidOption(
                f"server.{exposed} {hosts[exposed]} is open to others, and there are no API keys in {path}: make one with "
                "`starling keys create NAME`, or say auth.mode = open if anyone may use this server"
            )


def recording_options(settings: Settings) -> RecordingOptions:
    """What the gateway allows of recorded audio. Raises InvalidOption."""
    chosen = settings.jobs
    return RecordingOptions(
        max_bytes=chosen.max_megabytes << 20,
        max_duration=chosen.max_hours * 3600,
        max_uploads=chosen.max_uploads,
        wait_timeout=chosen.wait_timeout,
        allow_urls=chosen.allow_urls,
        allowed_networks=networks(chosen.allowed_networks),
        callback_secret=chosen.callback_secret or "",
    )


def addresses(options: GatewayOptions, host: str, port: int) -> tuple[str, str]:
    """Where a server with ``options`` that listens on ``host`` and ``port`` has its console, and its WebSocket."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    secure = "" if options.tls_cert is None else "s"
    return f"http{secure}://{authority}/", f"ws{secure}://{authority}/v1/stream"


def segmentation_options(settings: Settings) -> SegmentationOptions:
    """How sessions are cut into segments."""
    return SegmentationOptions(**settings.segmentation.model_dump())


def gate_options(settings: Settings) -> GateOptions:
    """When silence is left out."""
    return GateOptions(**settings.gate.model_dump())


def as_json(settings: Settings) -> bytes:
    """What children learn of the settings: all but what is the client's."""
    return settings.model_dump_json(exclude={"client"}).encode()


def log_options(settings: Settings) -> LogOptions:
    """What the log shows, and how."""
    return LogOptions(level=settings.log.level, format=settings.log.format)


def max_lead(settings: Settings) -> int:
    """In samples. Raises InvalidOption as ``check_lead``."""
    lead = samples(settings.audio_log.max_lead_seconds)
    check_lead(settings, lead)
    return lead


def check_lead(settings: Settings, lead: int) -> None:
    """Raises InvalidOption where a segment might never end with a ``lead`` of so many samples, and its client wait for ever."""
    needed = segmentation_options(settings).longest_uncommitted
    if lead < samples(needed):
        raise InvalidOption(
            f"audio_log.max_lead_seconds must be at least {needed:g} when the server starts, which segmentation.idle_checkpoint "
            f"and segmentation.max_segment may take before anything is committed; got {seconds(lead):g}"
        )


def batching(settings: Settings, capabilities: Capabilities) -> BatchOptions:
    """The scheduler's share of the settings, as far as the engine gains by it."""
    chosen = BatchOptions(**settings.scheduler.model_dump())
    return replace(chosen, max_batch=min(chosen.max_batch, capabilities.batch_size))
