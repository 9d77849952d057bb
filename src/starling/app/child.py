"""What the processes under a supervisor have in common: how they begin, and how they end."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import uvloop

from starling.app.collection import collect_rarely
from starling.app.options import log_options
from starling.app.tracing import load_tracing
from starling.bus.shared.arena import Arena
from starling.config.settings import Settings
from starling.core.errors import StarlingError
from starling.supervisor.copying import await_launch
from starling.supervisor.launch import Launch, Role, receive_launch
from starling.supervisor.presence import Presence, Said
from starling.supervisor.sheets import Sheets
from starling.telemetry.clock import SystemClock
from starling.telemetry.logs import configure_logging, get_logger
from starling.telemetry.metrics import Metrics

log = get_logger(__name__)


Loaded = TypeVar("Loaded")
"""What a template loads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a process finds itself."""

    launch: Launch
    settings: Settings
    arena: Arena
    sheets: Sheets
    metrics: Metrics
    clock: SystemClock
    presence: Presence


def run_template(load: Callable[[Settings], Loaded], work: Callable[[Place, Loaded], Coroutine[Any, Any, None]]) -> None:
    """Be a template: ``load`` what every copy needs, without a thread and without an event loop, and let each do its ``work``.

    Nothing that is loaded may be a secret that is to be read again, a socket, or drawn at random: all copies would have the same.
    What keeps the template from loading is said to the supervisor, what keeps a copy from its work is left on its sheet.
    """
    launch = receive_launch()
    settings = Settings.model_validate_json(bytes(launch.settings))
    configure_logging(log_options(settings), process=launch.name)
    with socket.socket(fileno=launch.requests) as requests:
        try:
            loaded = load(settings)
            load_tracing(settings)
            collect_rarely()  # a collection would write to every object, and so take every page for the copy itself
            fd = await_launch(requests, msgspec.json.encode(Said()))
        except StarlingError as error:
            requests.send(msgspec.json.encode(Said(code=error.code, message=error.message)))
            log.error("process cannot work", code=error.code, message=error.message)  # noqa: TRY400 - it says all there is
            sys.exit(1)
        except Exception:
            log.exception("process crashed")
            sys.exit(1)
    _run(receive_launch(fd), lambda place: work(place, loaded))


def _run(launch: Launch, work: Callable[[Place], Coroutine[Any, Any, None]]) -> None:
    settings = Settings.model_validate_json(bytes(launch.settings))
    metrics = Metrics()
    configure_logging(log_options(settings), metrics=metrics, process=launch.name)
    arena, sheets = Arena.attach(launch.arena), Sheets.attach(launch.sheets)
    table = arena.workers if launch.role is Role.WORKER else arena.gateway
    presence = Presence(table, launch.worker, sheets, launch.row, metrics)
    place = Place(
        launch=launch,
        settings=settings,
        arena=arena,
        sheets=sheets,
        metrics=metrics,
        clock=SystemClock(),
        presence=presence,
    )
    try:
        uvloop.run(work(place))
    except StarlingError as error:
        presence.failed(error)
        log.error("process cannot work", code=error.code, message=error.message)  # noqa: TRY400 - it says all there is
        sys.exit(1)
    except Exception:
        log.exception("process crashed")
        sys.exit(1)
