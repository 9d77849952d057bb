"""``starling gateway`` and ``starling recognizer``: the same server with its roles apart, on any number of hosts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

from starling.cli import flags

GATEWAY_EXAMPLES = (
    "starling gateway --bus redis://redis.example:6379/0 --host 0.0.0.0",
    "STARLING_BUS__URL=redis://:password@redis.example:6379/0 starling gateway",
)

RECOGNIZER_EXAMPLES = (
    "starling recognizer --bus redis://redis.example:6379/0",
    "starling recognizer --bus kafka://kafka.example:9092 --store redis://redis.example:6379/0",
    "starling recognizer --bus redis://redis.example:6379/0 --status-host 0.0.0.0 --status-port 9100",
)

ECHO = 1.0
"""Seconds within which a signal may come twice: to all our processes at once, and from the parent, which passes it on."""

Bus: TypeAlias = Annotated[
    str | None,
    typer.Option("--bus", metavar="URL", help="Redis that all share, or Kafka; passwords are better in STARLING_BUS__URL."),
]
Store: TypeAlias = Annotated[str | None, typer.Option("--store", metavar="URL", help="Redis beside a Kafka.")]
Config: TypeAlias = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML.", show_default="starling.toml, if there")
]
LogFormat: TypeAlias = Annotated[Literal["auto", "json", "text"] | None, typer.Option("--log-format", help="How log lines look.")]
LogLevel: TypeAlias = Annotated[
    Literal["debug", "info", "warning", "error"] | None, typer.Option("--log-level", help="The least that is logged.")
]


def gateway(
    *,
    bus: Bus = None,
    store: Store = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="PORT", min=0, max=65535, help="TCP port; 0 takes a free one.", show_default="8000"),
    ] = None,
    config: Config = None,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="Certificate in PEM: serve https and wss.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="Its private key, if --tls-cert does not have it.")
    ] = None,
    protocols: flags.Protocols = None,
    protocols_host: flags.ProtocolsHost = None,
    max_sessions: Annotated[
        int | None, typer.Option("--max-sessions", metavar="N", min=1, help="Sessions at once; more are refused.")
    ] = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
) -> None:
    """Take clients, as one of several gateways.

    Takes clients as `starling serve` does, and leaves recognition to whoever runs `starling recognizer` on the same Redis. Any
    gateway serves any session: a client that lost its connection may come back to another one. Ctrl-C or SIGTERM finishes open
    segments, then ends.
    """
    settings = _settings(
        config,
        {
            "bus.url": bus,
            "bus.store": store,
            "server.host": host,
            "server.port": port,
            "server.tls_cert": tls_cert,
            "server.tls_key": tls_key,
            "server.protocols": flags.listed(protocols),
            "server.protocols_host": protocols_host,
            "server.max_sessions": max_sessions,
            "log.format": log_format,
            "log.level": log_level,
        },
    )
    sheets = _attended(settings, "gateway")

    from starling.app.gateway_role import gatekeeping
    from starling.app.options import gateway_options
    from starling.cli.announcing import announcement, warning
    from starling.cli.report import complain

    options = gateway_options(settings)
    if exposed := warning(options):
        complain(exposed)

    async def main() -> None:
        from starling.cli.interrupts import cannot_reload, hangups, interrupts

        with interrupts(echo=ECHO) as stop, hangups(cannot_reload):
            async with gatekeeping(settings, sheets) as running:
                for line in announcement(options, running.url, running.ports):
                    typer.echo(line)
                await stop.wait()

    _run(main())


def recognizer(
    *,
    bus: Bus = None,
    store: Store = None,
    status_host: Annotated[
        str | None, typer.Option("--status-host", help="Address for /readyz, /status and /metrics.", show_default="127.0.0.1")
    ] = None,
    status_port: Annotated[
        int | None,
        typer.Option(
            "--status-port", metavar="PORT", min=0, max=65535, help="Its port; 0 takes a free one.", show_default="8001"
        ),
    ] = None,
    config: Config = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
) -> None:
    """Recognize speech for such gateways, as one of several.

    Takes its share of the sessions on a Redis; run one for each core. One that fails is noticed within two seconds, and others
    go on with its sessions where it was. Ctrl-C or SIGTERM hands them over, then ends.
    """
    settings = _settings(
        config,
        {
            "bus.url": bus,
            "bus.store": store,
            "bus.status_host": status_host,
            "bus.status_port": status_port,
            "log.format": log_format,
            "log.level": log_level,
        },
    )

    sheets = _attended(settings, "recognizer")

    from starling.app.recognizer_role import recognizing

    async def main() -> None:
        from starling.app.collection import collect_rarely
        from starling.cli.interrupts import cannot_reload, hangups, interrupts

        with interrupts(echo=ECHO) as stop, hangups(cannot_reload):
            async with recognizing(settings, sheets) as running:
                collect_rarely()
                typer.echo(f"Starling recognizes, and tells how it is at {running.url}status (Ctrl-C ends)")
                await stop.wait()

    _run(main())


def _attended(settings: Any, role: str) -> Any:
    """From here on in a child of this process, which tells Redis how the child ended."""
    from starling.app.attendant import Attended, attend
    from starling.telemetry.status import INSTANCE

    return attend(settings, Attended(role), INSTANCE)


def _settings(config: Path | None, overrides: Mapping[str, Any]) -> Any:
    from starling.supervisor.launch import SINGLE

    os.environ.update(dict.fromkeys(SINGLE, "1"))  # before numpy is there, whose threads a fork would not take along
    from starling.config.loading import load_settings

    return load_settings(config_file=config, overrides=overrides).settings


def _run(main: Any) -> None:
    from starling.cli.eventloop import run

    run(main)
