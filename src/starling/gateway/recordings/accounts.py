"""What tenants have used of their seconds of recorded audio: the store of jobs keeps the accounts, quotas judge by them.

A job is charged what its header says when it is taken in, and what was transcribed of it once it is over, in the very step of the
store that says so: whoever is killed, each job is charged once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from starling.auth.tenants import Tenant
from starling.core.errors import StarlingError
from starling.core.job_store import JobStore
from starling.core.jobs import DAY
from starling.gateway.quotas import Quotas
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

EVERY: Final = 5.0
"""Seconds between two looks at the accounts of all who are here: jobs that are over are settled by others."""


class Accounts:
    """``wall``: Unix seconds."""

    def __init__(self, store: JobStore, quotas: Quotas, wall: Callable[[], float]) -> None:
        self._store = store
        self._quotas = quotas
        self._wall = wall

    async def check(self, tenant: Tenant) -> None:
        """Raises QuotaExceeded when ``tenant`` may hand in no more audio now, StoreUnavailable where nobody knows."""
        await self.look(tenant.name)
        self._quotas.check_audio(tenant)

    async def check_length(self, tenant: Tenant, audio: float, *, charged: bool = False) -> None:
        """Raises QuotaExceeded when it may not hand in ``audio`` seconds, StoreUnavailable. ``charged``: it just did."""
        await self.look(tenant.name)
        self._quotas.check_length(tenant, audio, charged=charged)

    async def look(self, tenant: str) -> None:
        """Have quotas count what ``tenant`` has used by now. Raises StoreUnavailable."""
        day = math.floor(self._wall() / DAY)
        self._quotas.learn_recorded(tenant, day, await self._store.spent(tenant, day=day))

    async def charged(self, tenant: str) -> None:
        """A job of ``tenant`` was taken in: that is so whatever happens here, and at the latest ``run`` counts it."""
        with suppress(StarlingError):
            await self.look(tenant)

    async def run(self) -> None:
        """For ever: what is settled counts for sessions, too."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                for tenant in self._quotas.tenants:
                    await self.look(tenant)
            except StarlingError as error:
                log.warning("accounts not read", code=error.code)
