"""The tables. ``jobs.record`` is the whole Job as JSON; the columns beside it are what is searched and sorted by."""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final = (
    """
    CREATE TABLE jobs (
        job_id TEXT PRIMARY KEY,
        tenant TEXT NOT NULL,
        status TEXT NOT NULL,
        rank INTEGER NOT NULL,
        created REAL NOT NULL,
        not_before REAL NOT NULL,
        worker TEXT NOT NULL,
        duration REAL,
        name TEXT NOT NULL,
        recording TEXT NOT NULL,
        record BLOB NOT NULL,
        revision INTEGER NOT NULL DEFAULT 0,
        fence INTEGER NOT NULL DEFAULT 0,
        until REAL NOT NULL DEFAULT 0,
        due REAL,
        attempt INTEGER NOT NULL DEFAULT 0,
        deliveries INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX jobs_waiting ON jobs (tenant, rank, created, job_id, not_before, duration) WHERE status = 'queued';
    CREATE INDEX jobs_running ON jobs (until, tenant, worker) WHERE status = 'running';
    CREATE INDEX jobs_history ON jobs (created, job_id);
    CREATE INDEX jobs_of_tenant ON jobs (tenant, created, job_id);
    CREATE INDEX jobs_counted ON jobs (tenant, status);
    CREATE INDEX jobs_recordings ON jobs (recording) WHERE recording <> '';
    CREATE INDEX jobs_due ON jobs (due, job_id) WHERE due IS NOT NULL;
    CREATE TABLE submissions (
        tenant TEXT NOT NULL,
        idempotency_key TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        job_id TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
        PRIMARY KEY (tenant, idempotency_key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX submissions_of_job ON submissions (job_id);
    CREATE TABLE segments (
        ordinal INTEGER PRIMARY KEY,
        job_id TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
        channel INTEGER NOT NULL,
        segment_id INTEGER NOT NULL,
        record BLOB NOT NULL,
        UNIQUE (job_id, channel, segment_id)
    ) STRICT;
    CREATE TABLE checkpoints (
        job_id TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE,
        channel INTEGER NOT NULL,
        record BLOB NOT NULL,
        PRIMARY KEY (job_id, channel)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE turns (tenant TEXT PRIMARY KEY, served INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE chores (chore TEXT PRIMARY KEY, worker TEXT NOT NULL, until REAL NOT NULL) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE accounts (
        day INTEGER NOT NULL,
        tenant TEXT NOT NULL,
        audio INTEGER NOT NULL,
        PRIMARY KEY (day, tenant)
    ) STRICT, WITHOUT ROWID;
    """,
)
"""What makes version ``n + 1`` of ``n``; ``PRAGMA user_version`` says which one a file is."""
