"""``starling sessions``: which sessions a server has, and the end of one."""

from __future__ import annotations

from typing import Annotated

import typer

from starling.cli.flags import DEFAULT_URL, ApiKey, Ca, Url

sessions = typer.Typer(
    name="sessions",
    help="The sessions of a running server. Where it asks for keys: all with an operator's, else those of the tenant.",
    no_args_is_help=True,
)


@sessions.command(
    "list",
    epilog="\b\nExamples:\n  starling sessions list\n  starling sessions list --watch\n"
    "  starling sessions list --json | jq '.[] | select(.lag_seconds > 5)'",
)
def list_sessions(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Show them again each second, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, in one line.")] = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    ca: Ca = None,
) -> None:
    """Show every session, at whatever gateway: whose it is, its state, its recognizer, and how far behind it is.

    The lag is audio that nothing is settled of, the open segment included: some seconds while somebody speaks, more where
    recognition is late. The backlog is results that wait for a client which does not read them.
    """
    from starling.cli.flags import credentials
    from starling.cli.overseeing import show, watch_sessions
    from starling.client.oversight import Overseer

    shows = credentials(api_key, ca)
    overseer = Overseer(url, api_key=shows.api_key, ca=shows.ca)
    if watch:
        watch_sessions(overseer, as_json=as_json)
    else:
        show(overseer.sessions(), as_json=as_json)


@sessions.command(epilog="\b\nExamples:\n  starling sessions end 0123456789abcdef")
def end(
    session_id: Annotated[
        str, typer.Argument(metavar="ID", help="The session's id, as in `starling sessions list`.", show_default=False)
    ],
    *,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    ca: Ca = None,
) -> None:
    """End a session. Its client gets what was heard, the reason, and the end."""
    from starling.cli.flags import credentials
    from starling.cli.report import complain
    from starling.client.oversight import Overseer

    shows = credentials(api_key, ca)
    Overseer(url, api_key=shows.api_key, ca=shows.ca).end(session_id)
    complain(f"session {session_id} ends")
