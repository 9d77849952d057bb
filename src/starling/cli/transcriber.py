"""``starling transcriber``: recordings that were sent to a server, transcribed on this host."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

EXAMPLES = (
    "starling transcriber",
    "starling transcriber --workers 4 --status-port 9100",
    "STARLING_JOBS__STORE=redis://queue:6379/0 starling transcriber",
)


def transcriber(
    *,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, max=256, help="Recordings at once.", show_default="one per core"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML.", show_default="starling.toml, if there")
    ] = None,
    status_port: Annotated[
        int | None,
        typer.Option(
            "--status-port",
            metavar="PORT",
            min=0,
            max=65535,
            help="Serve /healthz, /readyz, /status, /metrics there; 0: any free.",
        ),
    ] = None,
    status_host: Annotated[str, typer.Option("--status-host", metavar="ADDRESS", help="On this address.")] = "127.0.0.1",
    log_format: Annotated[
        Literal["auto", "json", "text"] | None, typer.Option("--log-format", help="How log lines look.")
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, typer.Option("--log-level", help="The least that is logged.")
    ] = None,
) -> int:
    """Transcribe recordings that servers take.

    Takes jobs from where the servers keep them (`jobs.store`, `jobs.recordings`), so it must be set as they are. Start as many
    as you like, on any host that reaches both; `starling serve` has one of its own. Each recording is a process of its own, held
    to a bound of memory and computing, and computes only where nobody else on this machine wants to. What crashes or hangs is
    replaced. Ctrl-C or SIGTERM gives back what is not done, and another transcriber goes on there.
    """
    from starling.cli.transcribing_jobs import transcribe_until_interrupted
    from starling.config.loading import load_settings

    settings = load_settings(
        config_file=config, overrides={"jobs.workers": workers, "log.format": log_format, "log.level": log_level}
    ).settings
    return transcribe_until_interrupted(settings, None if status_port is None else (status_host, status_port))
