from __future__ import annotations

import tempfile
from pathlib import Path

from jobs.job_machine import MACHINE_SETTINGS, JobMachine
from starling.core.job_store import JobStore
from starling.jobs.life import Observer
from starling.jobs.memory import MemoryJobStore
from starling.jobs.options import StoreOptions
from starling.jobs.sqlite.store import SqliteJobStore
from virtual_time import inline


class MemoryMachine(JobMachine):
    def open_store(self, options: StoreOptions, observe: Observer) -> JobStore:
        return MemoryJobStore(options, observe=observe)


class SqliteMachine(JobMachine):
    def open_store(self, options: StoreOptions, observe: Observer) -> JobStore:
        self.directory = tempfile.TemporaryDirectory()
        return SqliteJobStore(Path(self.directory.name) / "jobs.db", options, observe=observe, offload=inline)

    def close_store(self) -> None:
        self.directory.cleanup()


TestMemoryLaws = MemoryMachine.TestCase
TestMemoryLaws.settings = MACHINE_SETTINGS
TestSqliteLaws = SqliteMachine.TestCase
TestSqliteLaws.settings = MACHINE_SETTINGS
