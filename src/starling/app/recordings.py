"""What a gateway needs to take recordings: the store of jobs, the place of recordings, and the ways in and out."""

from __future__ import annotations

import os
import platform
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starling.app.jobs import open_job_store, open_recordings, retaining
from starling.app.options import recording_options
from starling.config.settings import Settings
from starling.gateway.recordings.egress import Egress
from starling.gateway.recordings.ports import RecordingPorts
from starling.gateway.recordings.probing import ProbingProcesses


@asynccontextmanager
async def recording_ports(settings: Settings) -> AsyncIterator[RecordingPorts]:
    """For as long as the block runs. Where jobs cannot be kept now, that is tried again: live captions need no disk.

    Raises InvalidOption for settings that are wrong.
    """
    options = recording_options(settings)
    async with AsyncExitStack() as opened:
        store = open_job_store(settings, patient=True)
        opened.push_async_callback(store.close)
        recordings = open_recordings(settings, patient=True)
        opened.push_async_callback(recordings.close)
        prober = ProbingProcesses(timeout=options.probe_timeout)
        opened.push_async_callback(prober.close)
        worker = f"gateway-{platform.node()}-{os.getpid()}"
        await opened.enter_async_context(retaining(settings, store, recordings, worker=worker))
        yield RecordingPorts(
            store=store, recordings=recordings, prober=prober, egress=Egress(options.allowed_networks), options=options
        )
