"""``starling doctor``: will it run well here, and with which settings?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from starling.cli.exits import ExitCode

EXAMPLES = (
    "starling doctor",
    "starling doctor --settings",
    "starling doctor --json | jq .checks",
)


def doctor(
    *,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML.", show_default="starling.toml, if there")
    ] = None,
    show_settings: Annotated[
        bool, typer.Option("--settings", help="Every setting too, with its value and where that came from.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
) -> int:
    """Check this machine and the settings.

    Shows what was found, what to do about it, and in the last line the verdict. Ends with 1 if something would keep Starling
    from working. With --json the settings are always there.
    """
    from dataclasses import asdict

    from starling.cli.archive_here import check_jobs
    from starling.cli.reach import check_access, check_bus
    from starling.cli.selftest import check_recognition
    from starling.cli.tracing import check_collector
    from starling.config.doctor import Status, run_checks, verdict
    from starling.config.loading import load_settings

    loaded = load_settings(config_file=config)
    chosen = loaded.settings
    shared = [lambda: check_bus(chosen)] if chosen.bus.url is not None else []
    if chosen.telemetry.otlp_endpoint is not None:
        shared.append(lambda: check_collector(chosen))
    checks = run_checks(chosen, more=[lambda: check_access(chosen), lambda: check_jobs(chosen), *shared, check_recognition])
    settings = loaded.effective()
    if as_json:
        import json

        typer.echo(json.dumps({"checks": [asdict(check) for check in checks], "settings": [asdict(one) for one in settings]}))
    else:
        from starling.cli.tables import print_checks, print_settings

        if show_settings:  # first, so that the checks stay in sight
            print_settings(settings)
            typer.echo()
        print_checks(checks)
        typer.echo(f"\n{verdict(checks)}")
    return ExitCode.FAILURE if any(check.status is Status.FAIL for check in checks) else ExitCode.OK
