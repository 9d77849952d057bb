"""``starling serve``: the server, in the foreground."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from starling.cli import flags

EXAMPLES = (
    "starling serve",
    "starling serve --port 9000 --log-format json",
    "starling serve --workers 2",
    "starling serve --protocols vosk,funasr",
    "starling serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem",
)


def serve(
    *,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="PORT", min=0, max=65535, help="TCP port; 0 takes a free one.", show_default="8000"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML.", show_default="starling.toml, if there")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate in PEM: serve https and wss.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="Its private key, if --tls-cert does not have it.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=0,
            max=256,
            help="Recognizer processes; 0 does everything in one process.",
            show_default="one per core",
        ),
    ] = None,
    protocols: flags.Protocols = None,
    protocols_host: flags.ProtocolsHost = None,
    max_sessions: Annotated[
        int | None, typer.Option("--max-sessions", metavar="N", min=1, help="Sessions at once; more are refused.")
    ] = None,
    log_format: Annotated[
        Literal["auto", "json", "text"] | None, typer.Option("--log-format", help="How log lines look.")
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, typer.Option("--log-level", help="The least that is logged.")
    ] = None,
) -> None:
    """Serve live captions.

    Over WebSocket, with a console page for the browser. A gateway and one recognizer per core are processes of their own; one
    that fails is replaced, and its sessions go on. Ctrl-C or SIGTERM finishes open segments, then ends; SIGHUP replaces the
    recognizers one by one, with the settings read anew that concern them alone. Where there are API keys
    (`starling keys create`) every client is asked for one; with a --host that others reach there must be some. Flags win over
    the environment (`STARLING_...`), `.env` and the settings file; `starling doctor --settings` shows which value came from
    where.
    """
    from starling.app.options import gateway_options
    from starling.cli.announcing import announcement, warning
    from starling.cli.report import complain
    from starling.cli.serving import serve_until_interrupted
    from starling.config.loading import load_settings
    from starling.config.settings import Settings

    def settings() -> Settings:
        return load_settings(
            config_file=config,
            overrides={
                "server.host": host,
                "server.port": port,
                "server.tls_cert": tls_cert,
                "server.tls_key": tls_key,
                "server.protocols": flags.listed(protocols),
                "server.protocols_host": protocols_host,
                "server.max_sessions": max_sessions,
                "processes.workers": workers,
                "log.format": log_format,
                "log.level": log_level,
            },
        ).settings

    chosen = settings()
    options = gateway_options(chosen)

    def listening(url: str, ports: Mapping[str, int]) -> None:
        with suppress(OSError):  # a full disk, or nobody at the other end: no reason not to serve
            if exposed := warning(options):
                complain(exposed)
            for line in announcement(options, url, ports):
                typer.echo(line)

    serve_until_interrupted(chosen, settings, listening)
