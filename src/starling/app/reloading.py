"""Settings read anew while a server runs, and what it says of those that it does not take."""

from __future__ import annotations

from collections.abc import Callable, Collection

from starling.app.options import check_lead
from starling.config.reloading import RELOADED, reloaded
from starling.config.settings import Settings
from starling.core.errors import StarlingError
from starling.telemetry.logs import get_logger

log = get_logger(__name__)


def read_anew(running: Settings, reread: Callable[[], Settings], lead: int, taken: Collection[str] = RELOADED) -> Settings | None:
    """What a server with the settings ``running`` goes on with; None, and nothing changes, where they are wrong.

    ``lead``: samples that a session may be ahead, as laid down at the start. ``taken``: groups of settings that are.
    """
    try:
        settings, waiting = reloaded(running, reread(), taken)
        check_lead(settings, lead)
    except StarlingError as error:
        log.error("settings not reloaded", reason=error.message)  # noqa: TRY400 - it says all there is
        return None
    if waiting:
        log.warning("settings need a restart", settings=waiting)
    return settings
