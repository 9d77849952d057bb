"""Pages of a history, and what makes two submissions the same."""

from __future__ import annotations

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

import msgspec

from starling.core.errors import Conflict, InvalidOption, QuotaExceeded
from starling.core.jobs import Job, JobPage, JobQuery
from starling.jobs.order import age


def page(found: Sequence[Job], limit: int) -> JobPage:
    """Of ``found``, the newest first and one more than ``limit`` if there are more."""
    more = len(found) > limit
    return JobPage(jobs=tuple(found[:limit]), cursor=_cursor(found[limit - 1]) if more else "")


def _cursor(job: Job) -> str:
    return urlsafe_b64encode(f"{job.created.hex()} {job.job_id}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[float, str] | None:
    """The ``age`` of the last job of the page before; None for an empty one. Raises InvalidOption."""
    if not cursor:
        return None
    try:
        created, job_id = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode().split(" ", 1)
        return float.fromhex(created), job_id
    except (ValueError, OverflowError, binascii.Error):
        raise InvalidOption("expected the cursor of the page before, got something else: leave it out to begin anew") from None


def asked_for(job: Job, query: JobQuery) -> bool:
    """Whether ``job`` is one of those, whatever page it is on."""
    return (
        query.tenant in {None, job.tenant}
        and (not query.statuses or job.status in query.statuses)
        and folded(query.search) in folded(job.recording.name)
        and (query.since is None or job.created >= query.since)
        and (query.until is None or job.created < query.until)
    )


def comes_after(job: Job, last: tuple[float, str] | None) -> bool:
    """Whether it stands on a later page than the one that ended with ``last``."""
    return last is None or age(job) < last


def folded(name: str) -> str:
    """A name as it is searched."""
    return name.casefold()


def fingerprint(job: Job) -> str:
    """The same for two jobs that ask for the same of the same recording: 64 hexadecimal digits."""
    return hashlib.sha256(msgspec.json.encode((job.recording.digest, job.options))).hexdigest()


def check_same(job: Job, earlier: str) -> None:
    """Raises Conflict unless ``earlier`` is the fingerprint of ``job``."""
    if fingerprint(job) != earlier:
        raise Conflict("this idempotency key came before, with another recording or other options: use a new one for a new job")


def check_new(job: Job, *, known: bool) -> None:
    """Raises Conflict for a job whose id is ``known``: whoever makes ids draws them at random."""
    if known:
        raise Conflict(f"expected a new job, got one with the id of another one: {job.job_id}")


def check_queue(queued: int, most: int) -> None:
    """Raises QuotaExceeded for one job more than ``most``."""
    if queued >= most:
        raise QuotaExceeded(
            f"{queued} of your recordings wait already, and at most {most} may: submit this one when some are done",
            gate="tenant",
            retry_after=30.0,
        )
