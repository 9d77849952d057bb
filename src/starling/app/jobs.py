"""Where jobs and recordings are kept, as the settings say."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from starling.config.settings import Settings
from starling.core.errors import InvalidOption, StoreUnavailable
from starling.core.job_store import JobStore, Recordings
from starling.core.jobs import DAY
from starling.jobs.directory import DirectoryRecordings
from starling.jobs.journal import Journal
from starling.jobs.life import Observer, Step
from starling.jobs.options import StoreOptions
from starling.jobs.redis.store import RedisJobStore
from starling.jobs.retention import Retention, RetentionOptions
from starling.jobs.s3 import S3Recordings
from starling.jobs.sqlite.store import SqliteJobStore
from starling.redis.opening import redacted

PATIENCE: Final = 30.0
"""Seconds after which a store does not answer."""


def data_path(setting: str) -> Path:
    """``~`` is the home directory, and ``~/.local/share`` is ``$XDG_DATA_HOME`` where that is set.

    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    home = os.environ.get("XDG_DATA_HOME")
    if home and setting.startswith("~/.local/share/"):
        return Path(home) / setting.removeprefix("~/.local/share/")
    return Path(setting).expanduser()


def open_job_store(settings: Settings, *, observe: Observer | None = None, patient: bool = False) -> JobStore:
    """The store of jobs, to be closed. ``observe`` is told what this process does to them, and so is the log of jobs.

    ``patient``: what cannot be opened now is opened later. Raises InvalidOption for a setting that names none, StoreUnavailable.
    """
    observe = _everybody(_journal(settings), observe)
    options = StoreOptions(max_attempts=settings.jobs.max_attempts, max_queued=settings.jobs.max_queued)
    kind, _, place = settings.jobs.store.partition(":")
    if kind == "sqlite" and place:
        return SqliteJobStore(data_path(place), options, observe=observe, patient=patient)
    if kind in {"redis", "rediss", "unix"}:
        return RedisJobStore(settings.jobs.store, options, observe=observe)
    raise InvalidOption(f"jobs.store: expected sqlite:PATH or redis://HOST:PORT/NUMBER, got one of another kind: {kind[:20]!r}")


async def check_answering(store: JobStore, place: str) -> None:
    """Whether jobs can be had from ``store``, which is at ``place``. Raises StoreUnavailable with words for who runs it."""
    advice = "is it running, and jobs.store right?"
    try:
        async with asyncio.timeout(PATIENCE):
            await store.state(tenant=None, now=time.time())
    except TimeoutError:
        raise StoreUnavailable(f"{redacted(place)} does not answer: {advice}") from None
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{error.message} ({redacted(place)}): {advice}") from None


def retention_options(settings: Settings) -> RetentionOptions:
    """How long recordings and texts are kept."""
    jobs = settings.jobs
    return RetentionOptions(
        max_recordings=jobs.max_recordings,
        recording_age=jobs.recording_days * DAY,
        max_results=jobs.max_results,
        result_age=jobs.result_days * DAY,
    )


@asynccontextmanager
async def retaining(settings: Settings, store: JobStore, recordings: Recordings, *, worker: str) -> AsyncIterator[None]:
    """Delete now and then what is not to be kept any longer, unless another process does. ``worker``: no other one's name."""
    task = asyncio.create_task(Retention(store, recordings, retention_options(settings), worker=worker).run(), name="retention")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _journal(settings: Settings) -> Observer | None:
    if settings.jobs.log == "off":
        return None
    return Journal(data_path(settings.jobs.log), max_bytes=settings.jobs.log_megabytes << 20, files=settings.jobs.log_files)


def _everybody(*observers: Observer | None) -> Observer:
    there = [observer for observer in observers if observer is not None]

    def tell(step: Step) -> None:
        for observer in there:
            observer(step)

    return tell


def open_recordings(settings: Settings, *, patient: bool = False) -> Recordings:
    """Where recordings are, to be closed; ``patient``: as above.

    Raises InvalidOption for what is no place for them, StoreUnavailable.
    """
    if settings.jobs.recordings.startswith("s3:"):
        return S3Recordings(settings.jobs.recordings, endpoint=settings.jobs.s3_endpoint)
    return DirectoryRecordings(data_path(settings.jobs.recordings), patient=patient)
