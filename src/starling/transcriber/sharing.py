"""When a recording at work gives way to another tenant's. Pure.

One tenant may hold every slot there is with recordings of hours. So whoever had its turn goes back to the queue when a tenant
has nothing at work at all, and goes on at its checkpoint when it is claimed again: with as many tenants as there are slots, or
fewer, each has one; with more, they have them in turn. Nobody gives way while there is nobody to give way to.
"""

from __future__ import annotations

from typing import Final

from starling.core.load import Priority

TURN: Final = 60.0
"""Seconds that a recording is worked on at least before it gives way. What precedes its checkpoint is decoded again, when it
goes on, and does not count: they begin with the first that is found and kept.
"""

WAITED: Final = 5.0
"""Seconds after which a job counts as left out: until then a slot may be free that takes it."""


def gives_way_to(priority: Priority, *, urgent_only: bool) -> tuple[Priority, ...]:
    """For whom a job of ``priority`` makes room: nobody's LOW jobs take it from others. ``urgent_only``: as its slot is."""
    if urgent_only:
        return (Priority.HIGH,)
    return tuple(Priority) if priority is Priority.LOW else (Priority.HIGH, Priority.NORMAL)
