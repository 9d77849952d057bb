from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from contracts.job_store_contract import JobStoreContract
from starling.core.jobs import JobStore
from starling.jobs.life import Observer
from starling.jobs.options import StoreOptions
from starling.jobs.sqlite.store import SqliteJobStore
from virtual_time import inline


class TestSqliteJobStore(JobStoreContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "jobs.db"

    @asynccontextmanager
    async def opened(self, options: StoreOptions, observe: Observer | None) -> AsyncIterator[JobStore]:
        store = SqliteJobStore(self.path, options, observe=observe, offload=inline)
        try:
            yield store
        finally:
            await store.close()
