"""``starling jobs``: recorded files on their way to a text, and what became of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

jobs = typer.Typer(
    name="jobs",
    help="The jobs of recorded files, where the settings keep them: on the server's host, or where its store is reached.",
    no_args_is_help=True,
)

Config: TypeAlias = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML.", show_default="starling.toml, if there")
]
Ids: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="ID...", help="Jobs, as in `starling jobs list`.", show_default=False)
]
Status: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="As JSON, in one line.")]


@jobs.command(
    "list",
    epilog="\b\nExamples:\n  starling jobs list\n  starling jobs list --status failed --tenant acme\n"
    "  starling jobs list --json | jq '.[] | select(.attempts > 1)'",
)
def list_jobs(
    *,
    status: Annotated[Status | None, typer.Option("--status", help="Only those.", show_default="all")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="T", help="Only that one's.", show_default="all")] = None,
    search: Annotated[str, typer.Option("--search", metavar="TEXT", help="Only files with this in their name.")] = "",
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show jobs, the newest first, and what waits."""
    from starling.cli.archive import show_jobs
    from starling.config.loading import load_settings
    from starling.core.jobs import JobQuery, JobStatus

    statuses = (JobStatus(status),) if status else ()
    query = JobQuery(tenant=tenant, statuses=statuses, search=search, limit=limit)
    show_jobs(load_settings(config_file=config).settings, query, as_json=as_json)


@jobs.command(epilog="\b\nExamples:\n  starling jobs show 0123456789abcdef0123456789abcdef\n  starling jobs show --text ID")
def show(
    job_id: Annotated[str, typer.Argument(metavar="ID", help="A job, as in `starling jobs list`.", show_default=False)],
    *,
    text: Annotated[bool, typer.Option("--text", help="What was said, instead: a line per segment.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show all about one job."""
    from starling.cli.archive import show_job, show_text
    from starling.config.loading import load_settings

    settings = load_settings(config_file=config).settings
    if text:
        show_text(settings, job_id, as_json=as_json)
    else:
        show_job(settings, job_id, as_json=as_json)


@jobs.command(epilog="\b\nExamples:\n  starling jobs retry ID")
def retry(job_ids: Ids, *, config: Config = None) -> None:
    """Do failed or cancelled jobs again, from their beginning."""
    from starling.cli.archive import Deed, do
    from starling.config.loading import load_settings

    do(load_settings(config_file=config).settings, Deed.RETRY, job_ids)


@jobs.command(epilog="\b\nExamples:\n  starling jobs cancel ID")
def cancel(job_ids: Ids, *, config: Config = None) -> None:
    """Have nobody work on these jobs any more. What was found of them stays."""
    from starling.cli.archive import Deed, do
    from starling.config.loading import load_settings

    do(load_settings(config_file=config).settings, Deed.CANCEL, job_ids)


@jobs.command(epilog="\b\nExamples:\n  starling jobs delete ID")
def delete(job_ids: Ids, *, config: Config = None) -> None:
    """Delete jobs for good, with their recordings and texts."""
    from starling.cli.archive import Deed, do
    from starling.config.loading import load_settings

    do(load_settings(config_file=config).settings, Deed.DELETE, job_ids)


@jobs.command(epilog="\b\nExamples:\n  starling jobs prune --dry-run\n  STARLING_JOBS__RECORDING_DAYS=7 starling jobs prune")
def prune(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    config: Config = None,
) -> None:
    """Delete what the settings do not keep any longer, now. A server does so by itself every ten minutes.

    By age and number: `jobs.recording_days` and `jobs.max_recordings` are of the audio, `jobs.result_days` and `jobs.max_results`
    of whole jobs. Recordings that no job names go after a day.
    """
    from starling.cli.archive import prune_now
    from starling.config.loading import load_settings

    prune_now(load_settings(config_file=config).settings, dry_run=dry_run)
