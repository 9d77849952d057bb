"""The seams that the HTTP side of recorded audio stands on."""

from __future__ import annotations

from dataclasses import dataclass

from starling.core.job_store import JobStore, Recordings
from starling.gateway.recordings.egress import Egress
from starling.gateway.recordings.options import RecordingOptions
from starling.gateway.recordings.probing import Prober


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPorts:
    """What belongs together; ``egress``: the way to other servers."""

    store: JobStore
    recordings: Recordings
    prober: Prober
    egress: Egress
    options: RecordingOptions
