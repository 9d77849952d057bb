"""Sessions, from the connection to the end, and who got none."""

from __future__ import annotations

from typing import Final

from starling.core.records import EndReason
from starling.telemetry.catalogue import Counted, Level

PROTOCOLS: Final = (
    "native",
    "funasr",
    "vosk",
    "sherpa-onnx",
    "whisperlive",
    "wyoming",
    "riva",
    "assemblyai",
    "deepgram",
    "openai-realtime",
)
"""Starling's own, and those of other servers."""


class OfSessions:
    """Who comes, who is turned away, who leaves."""

    sessions_active = Level(
        "starling_sessions_active",
        "sessions",
        "Sessions that are open now.",
        action="Scale on it. Near server.max_sessions new clients are refused: add hosts or raise the limit if CPU is free.",
    )
    sessions_opened = Counted(
        "starling_sessions_opened_total",
        "sessions",
        "Sessions that were admitted.",
        action="Nothing by itself; its rate is the load that the other numbers explain.",
    )
    sessions_by_protocol = Counted(
        "starling_protocol_sessions_total",
        "sessions",
        "Sessions that were admitted, by the protocol of their clients.",
        action="Nothing by itself: it says which of `server.protocols` anybody uses, and whose clients a change would meet.",
        labels={"protocol": PROTOCOLS},
    )
    sessions_ended = Counted(
        "starling_sessions_ended_total",
        "sessions",
        "Sessions that are over, by what ended them.",
        action="Many `disconnected`: look at the network and at proxies' idle timeouts. Any `error`: read that session's log.",
        labels={"reason": tuple(EndReason)},
    )
    sessions_detached = Level(
        "starling_sessions_detached",
        "sessions",
        "Sessions whose client lost its connection and may come back.",
        action="Many at once: look at the network and at proxies between clients and this server.",
    )
    sessions_resumed = Counted(
        "starling_sessions_resumed_total",
        "attempts",
        "Clients that came back to their session, and those that could not.",
        action="Many `refused`: clients come back later than `server.resume_grace`, or guess tokens.",
        labels={"outcome": ("resumed", "refused")},
    )
    sessions_refused = Counted(
        "starling_sessions_refused_total",
        "sessions",
        "Sessions that were turned away, by the reason given to the client.",
        action="`capacity`, `lag`, `engine`: add hosts. `address`, `rate`, `tenant`: one client has or wants much. "
        "`unauthenticated`, `attempts`: wrong keys. `keys`: their file cannot be read. `forbidden`: see server.allowed_origins. "
        "`other`: what has no name here yet; please report it.",
        labels={
            "reason": (
                "forbidden",
                "unauthenticated",
                "attempts",
                "keys",
                "other",
                "rate",
                "tenant",
                "capacity",
                "address",
                "lag",
                "engine",
                "starting",
                "draining",
            )
        },
    )
    sessions_dismissed = Counted(
        "starling_sessions_dismissed_total",
        "sessions",
        "Sessions that an operator ended.",
        action="Nothing by itself; the log names the operator's key.",
    )
    connections = Level(
        "starling_connections",
        "connections",
        "Sockets of clients that are open, those without a session included.",
        action="Far above starling_sessions_active for long: somebody connects and says nothing; see server.max_connections.",
    )
    connections_banned = Counted(
        "starling_connections_banned_total",
        "connections",
        "Sockets that were closed as soon as they opened, since bytes from there ended two gateways.",
        action="See `sender banned` in the log, and report what crashed. Whoever it is may come again after ten minutes.",
    )
    connections_cut = Counted(
        "starling_connections_cut_total",
        "connections",
        "Sockets that were closed as soon as they opened, since all were taken.",
        action="Raise server.max_connections if memory and open files allow it; else find who opens so many.",
    )
