from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.job_store_contract import JobStoreContract
from starling.core.job_store import JobStore
from starling.jobs.life import Observer
from starling.jobs.memory import MemoryJobStore
from starling.jobs.options import StoreOptions


class TestMemoryJobStore(JobStoreContract):
    @asynccontextmanager
    async def opened(self, options: StoreOptions, observe: Observer | None) -> AsyncIterator[JobStore]:
        store = MemoryJobStore(options, observe=observe)
        yield store
        await store.close()
