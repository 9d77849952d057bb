"""``starling keys``: API keys and the limits of tenants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

if TYPE_CHECKING:
    from starling.config.settings import Settings

keys = typer.Typer(
    name="keys",
    help="API keys, and the limits of the tenants they speak for. A running server heeds every change at once.",
    no_args_is_help=True,
)

Config: TypeAlias = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML.", show_default="starling.toml, if there")
]
File: TypeAlias = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="The file of keys.", show_default="setting auth.keys_file")
]
Level: TypeAlias = Literal["high", "normal", "low"]
Count: TypeAlias = Annotated[int | None, typer.Option("--max-sessions", metavar="N", min=0, help="Sessions at once; 0: any.")]


@keys.command(epilog="\b\nExamples:\n  starling keys create newsroom\n  starling keys create ops --tenant staff --operator")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for.", show_default=False)],
    *,
    tenant: Annotated[str, typer.Option("--tenant", metavar="T", help="For whom it speaks.")] = "default",
    operator: Annotated[bool, typer.Option("--operator", help="It may see and end everybody's sessions.")] = False,
    file: File = None,
    config: Config = None,
) -> None:
    """Make a key and show it, once: only its hash is kept."""
    from dataclasses import replace
    from datetime import UTC, datetime

    from starling.auth.keyfile import KeyRecord, changing
    from starling.auth.keys import mint
    from starling.auth.tenants import check_name
    from starling.cli.report import complain
    from starling.config.loading import load_settings

    check_name("tenant", tenant)
    token, key = mint()
    record = KeyRecord(
        key_id=key.key_id,
        name=name,
        tenant=tenant,
        digest=key.digest,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        operator=operator,
    )
    path = _path(file, config)
    with changing(path) as change:
        first = not change.content.keys
        change.content = replace(change.content, keys=(*change.content.keys, record))
    complain(f"made key {key.key_id} for tenant {tenant}; it is shown this once, keep it now")
    if first:
        complain(_consequence(load_settings(config_file=config).settings, path))
    typer.echo(token)


@keys.command("list", epilog="\b\nExamples:\n  starling keys list\n  starling keys list --json")
def list_keys(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    file: File = None,
    config: Config = None,
) -> None:
    """Show the keys and the limits of their tenants."""
    from starling.auth.keyfile import read_keyfile

    content = read_keyfile(_path(file, config))
    if as_json:
        shown = [
            {"id": key.key_id, "name": key.name, "tenant": key.tenant, "operator": key.operator, "created": key.created}
            for key in content.keys
        ]
        typer.echo(json.dumps(shown, indent=2))
        return
    from starling.cli.tables import print_rows

    rows = []
    for key in content.keys:
        limits = content.tenant(key.tenant).described
        rows.append((key.key_id, key.name, key.tenant, "operator" if key.operator else "", limits, key.created))
    print_rows(("id", "name", "tenant", "scope", "limits", "created"), rows)


@keys.command(epilog="\b\nExamples:\n  starling keys revoke 3fQ9hTz0bVxa")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as in `starling keys list`.", show_default=False)],
    *,
    file: File = None,
    config: Config = None,
) -> None:
    """Let a key open nothing any more. Its live sessions end within seconds."""
    from dataclasses import replace

    from starling.auth.keyfile import changing
    from starling.cli.report import complain
    from starling.core.errors import InvalidOption

    path = _path(file, config)
    with changing(path) as change:
        kept = tuple(key for key in change.content.keys if key.key_id != key_id)
        if len(kept) == len(change.content.keys):
            raise InvalidOption(f"expected the id of a key in {path}, got {key_id!r}: `starling keys list` shows them")
        change.content = replace(change.content, keys=kept)
    complain(f"revoked key {key_id}")


@keys.command(epilog="\b\nExamples:\n  starling keys limit staff --priority high\n  starling keys limit trial --max-sessions 2")
def limit(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant, as in `keys create`.", show_default=False)],
    *,
    priority: Annotated[Level | None, typer.Option("--priority", help="Who keeps partial results longest under load.")] = None,
    max_sessions: Count = None,
    audio_per_minute: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="Audio a minute of all its sessions; 0: any.")
    ] = None,
    audio_per_day: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="Audio a day (UTC) of all its sessions; 0: any.")
    ] = None,
    features: Annotated[
        str | None, typer.Option(metavar="LIST", help="What it may ask for: `all`, `none`, or names with commas.")
    ] = None,
    file: File = None,
    config: Config = None,
) -> None:
    """Set a tenant's limits; what is not named stays."""
    from dataclasses import replace

    from starling.auth.keyfile import changing
    from starling.auth.tenants import read_features
    from starling.cli.report import complain
    from starling.core.load import Priority

    with changing(_path(file, config)) as change:
        found = change.content.tenant(tenant)
        if priority is not None:
            found = replace(found, priority=Priority(priority))
        if max_sessions is not None:
            found = replace(found, max_sessions=max_sessions or None)
        if audio_per_minute is not None:
            found = replace(found, audio_seconds_per_minute=audio_per_minute or None)
        if audio_per_day is not None:
            found = replace(found, audio_seconds_per_day=audio_per_day or None)
        if features is not None:
            found = replace(found, features=read_features(features))
        change.content = change.content.with_tenant(found)
    complain(f"tenant {tenant}: {found.described}")


def _consequence(settings: Settings, path: Path) -> str:
    """What the first key in the file at ``path`` means for servers and their clients."""
    from starling.auth.keyfile import keys_path
    from starling.config.groups.edge import AuthMode

    if keys_path(settings.auth.keys_file) != path:
        return f"a server asks for keys of this file if auth.keys_file is {path}"
    if settings.auth.mode is AuthMode.OPEN:
        return "auth.mode is open, so no server asks for keys: set it to auto or keys"
    return (
        "from its next start a server asks every client for a key, also on this machine (setting auth.mode): `starling stream`, "
        "`starling mic` and `starling sessions` show the one in STARLING_API_KEY, the console asks for it"
    )


def _path(file: Path | None, config: Path | None) -> Path:
    """The file of keys: the one named, or that of the settings."""
    from starling.auth.keyfile import keys_path
    from starling.config.loading import load_settings

    return file or keys_path(load_settings(config_file=config).settings.auth.keys_file)
