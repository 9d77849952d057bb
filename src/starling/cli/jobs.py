"""``starling jobs``: recorded files on their way to a text, and what became of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar, get_type_hints

import typer

from starling.cli import flags
from starling.cli.exits import ExitCode

if TYPE_CHECKING:
    from starling.cli.archiving import Opening

jobs = typer.Typer(
    name="jobs",
    help="Recorded files on their way to a text. Those at a --server, or where the settings keep them if none is named.",
    no_args_is_help=True,
)

Server: TypeAlias = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="Those at this server.", show_default="those that the settings keep"),
]

Config: TypeAlias = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML.", show_default="starling.toml, if there")
]
Ids: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="ID...", help="Jobs, as in `starling jobs list`.", show_default=False)
]
Status: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
Form: TypeAlias = Annotated[Literal["txt", "srt", "vtt", "tsv", "json"], typer.Option("--format", "-f", help="What to write.")]
Result = TypeVar("Result")
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="As JSON, in one line.")]


def archive(*, server: Server = None, api_key: flags.ApiKey = None, ca: flags.Ca = None, config: Config = None) -> Opening:
    """The one that these options mean. Raises InvalidOption for a server and a settings file, which are two of them."""
    if server is None:
        from starling.cli.archive_here import stored_jobs
        from starling.config.loading import load_settings

        return stored_jobs(load_settings(config_file=config).settings)
    from starling.cli.archive_there import served_jobs
    from starling.core.errors import InvalidOption

    if config is not None:
        raise InvalidOption("--config says where jobs are kept, and --server asks who keeps them: leave one of them out")
    return served_jobs(server, flags.credentials(api_key, ca))


def of_archive(command: Callable[..., Result]) -> Callable[..., Result]:
    """A command about the jobs of an ``archive``, whose options it gets after its own; it is given what they open."""

    @wraps(command)
    def chosen(**typed: Any) -> Result:
        place = {name: typed.pop(name) for name in _parameters(archive)}
        return command(opening=archive(**place), **typed)

    own = _parameters(command)
    del own["opening"]
    seen = [*own.values(), *_parameters(archive).values()]
    chosen.__signature__ = Signature(seen)  # type: ignore[attr-defined]
    chosen.__annotations__ = {one.name: one.annotation for one in seen}
    return chosen


def _parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    """Its parameters with their types, as typer reads them."""
    hints = get_type_hints(function, localns={"Opening": object}, include_extras=True)
    return {name: one.replace(annotation=hints[name]) for name, one in signature(function).parameters.items()}


@jobs.command(
    "list",
    epilog="\b\nExamples:\n  starling jobs list\n  starling jobs list --status failed --tenant acme\n"
    "  starling jobs list --server https://captions.example\n"
    "  starling jobs list --json | jq '.[] | select(.attempts > 1)'",
)
@of_archive
def list_jobs(
    *,
    opening: Opening,
    status: Annotated[Status | None, typer.Option("--status", help="Only those.", show_default="all")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="T", help="Only that one's.", show_default="all")] = None,
    search: Annotated[str, typer.Option("--search", metavar="TEXT", help="Only files with this in their name.")] = "",
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show jobs, the newest first, and what waits."""
    from starling.cli.archive import Search
    from starling.cli.archiving import show_jobs
    from starling.core.jobs import JobStatus

    query = Search(tenant=tenant, status=JobStatus(status) if status else None, search=search, limit=limit)
    show_jobs(opening, query, as_json=as_json)


@jobs.command(epilog="\b\nExamples:\n  starling jobs show 0123456789abcdef0123456789abcdef\n  starling jobs show --text ID")
@of_archive
def show(
    job_id: Annotated[str, typer.Argument(metavar="ID", help="A job, as in `starling jobs list`.", show_default=False)],
    *,
    opening: Opening,
    text: Annotated[bool, typer.Option("--text", help="What was said, instead: a line per segment.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show all about one job."""
    from starling.cli.archiving import show_job, show_text

    if text:
        show_text(opening, job_id, as_json=as_json)
    else:
        show_job(opening, job_id, as_json=as_json)


@jobs.command(
    epilog="\b\nExamples:\n  starling jobs result ID --format srt\n"
    "  starling jobs result ID ID --server https://captions.example --output-dir texts"
)
@of_archive
def result(
    job_ids: Ids,
    *,
    opening: Opening,
    form: Form = "txt",
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", "-o", metavar="DIR", help="Write NAME.FORMAT here.", show_default="standard output"),
    ] = None,
) -> int:
    """Write the texts of jobs that are done, as `starling transcribe` writes them."""
    from starling.cli.archiving import write_results

    failed = write_results(opening, job_ids, form, output_dir)
    return ExitCode.FAILURE if failed else ExitCode.OK


@jobs.command(epilog="\b\nExamples:\n  starling jobs queue\n  starling jobs queue --server https://captions.example --json")
@of_archive
def queue(*, opening: Opening, as_json: AsJson = False) -> None:
    """Show how many jobs wait, and who works on them."""
    from starling.cli.archiving import show_queue

    show_queue(opening, as_json=as_json)


@jobs.command(
    epilog="\b\nExamples:\n  starling jobs submit talk.mp3\n"
    "  starling jobs submit recordings/ --server https://captions.example --priority low\n"
    "  starling jobs submit talk.mp3 --callback https://hooks.example/texts"
)
def submit(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Recordings of any format, or directories of them; - is standard input.", show_default=False
        ),
    ],
    *,
    server: Annotated[str, typer.Option("--server", metavar="URL", help="To this server.")] = "http://127.0.0.1:8000",
    api_key: flags.ApiKey = None,
    ca: flags.Ca = None,
    priority: Annotated[Literal["low", "normal", "high"], typer.Option("--priority", help="Which come first.")] = "normal",
    channels: Annotated[
        Literal["mixed", "separate"], typer.Option("--channels", help="One text of all channels, or one of each.")
    ] = "mixed",
    callback: flags.CallbackUrl = None,
    callback_secret: flags.CallbackSecret = None,
    as_json: AsJson = False,
    language: flags.Language = None,
    words: flags.Words = None,
    quality: flags.QualityChoice = None,
    hotword: flags.HotWord = None,
    hotwords: flags.HotWordFile = None,
) -> int:
    """Hand recordings in to a server, and do not wait for their texts.

    The id of each job goes to standard output as soon as the server has it for good. A file that is refused is reported and the
    others are still handed in; then the exit code is 1.
    """
    from starling.cli.submitting import submit_all
    from starling.cli.transcribing import plan
    from starling.cli.transcribing_there import job_options
    from starling.core.jobs import Channels
    from starling.core.load import Priority

    chosen = flags.session_options(language=language, words=words, quality=quality, hotword=hotword, hotwords=hotwords)
    options = job_options(chosen, Channels(channels))
    options["priority"] = Priority(priority)
    options.update(flags.telling(callback, callback_secret))
    sources = [job.source for job in plan(files, ("txt",), None)]
    failed = submit_all(sources, options, url=server, credentials=flags.credentials(api_key, ca), as_json=as_json)
    return ExitCode.FAILURE if failed else ExitCode.OK


@jobs.command(epilog="\b\nExamples:\n  starling jobs retry ID")
@of_archive
def retry(job_ids: Ids, *, opening: Opening) -> None:
    """Do failed or cancelled jobs again, from their beginning."""
    from starling.cli.archive import Deed
    from starling.cli.archiving import do

    do(opening, Deed.RETRY, job_ids)


@jobs.command(epilog="\b\nExamples:\n  starling jobs cancel ID")
@of_archive
def cancel(job_ids: Ids, *, opening: Opening) -> None:
    """Have nobody work on these jobs any more. What was found of them stays."""
    from starling.cli.archive import Deed
    from starling.cli.archiving import do

    do(opening, Deed.CANCEL, job_ids)


@jobs.command(epilog="\b\nExamples:\n  starling jobs delete ID")
@of_archive
def delete(job_ids: Ids, *, opening: Opening) -> None:
    """Delete jobs for good, with their recordings and texts."""
    from starling.cli.archive import Deed
    from starling.cli.archiving import do

    do(opening, Deed.DELETE, job_ids)


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
    from starling.cli.archive_here import prune_now
    from starling.config.loading import load_settings

    prune_now(load_settings(config_file=config).settings, dry_run=dry_run)
