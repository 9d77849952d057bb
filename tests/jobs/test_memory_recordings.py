from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.recordings_contract import RecordingsContract
from starling.core.job_store import Recordings
from starling.jobs.memory_recordings import MemoryRecordings


class TestMemoryRecordings(RecordingsContract):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Recordings]:
        recordings = MemoryRecordings()
        yield recordings
        await recordings.close()
