"""The seams that a gateway stands on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starling.core.ports import AudioLog, Clock, Colleagues, LoadBoard, Notary, ResultBus, SessionDirectory, Tally, Witness
from starling.core.sessions import Standing
from starling.gateway.recordings.ports import RecordingPorts
from starling.telemetry.metrics import Metrics
from starling.telemetry.spans import NO_TRACER, Tracer


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a gateway and its sessions stand on.

    ``shared``: other gateways stand on the same, and go on with what this one leaves; ``tally``: where they count together;
    ``notary``: what they have in common of what they give out in place of keys; ``colleagues``: whom to ask what is theirs.
    ``exposition``: the metrics of all processes; None shows this one's.
    ``facts``: what else ``/status`` says, of the bus for instance. ``recordings``: what jobs of recorded audio stand on; None
    where there are none. ``witness``: who remembers whose bytes are unpacked; None remembers nothing. ``standing``: where
    recognition of a session stands, by its id; None where that is not known. ``root``: the id of the process above all of
    this server; None is this one. ``tracer``: who is told what sessions and jobs do.
    """

    audio_log: AudioLog
    results: ResultBus
    board: LoadBoard
    directory: SessionDirectory
    clock: Clock
    metrics: Metrics
    recordings: RecordingPorts | None = None
    exposition: Callable[[], Awaitable[bytes]] | None = None
    facts: Callable[[], Mapping[str, Any]] | None = None
    shared: bool = False
    tally: Tally | None = None
    notary: Notary | None = None
    colleagues: Colleagues | None = None
    tracer: Tracer = NO_TRACER
    witness: Witness | None = None
    standing: Callable[[str], Standing | None] = lambda _: None
    root: int | None = None
