"""Whether the process may be sent work (``ready``) and whether it is worth keeping (``live``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from starling.core.errors import IllegalTransition


class State(StrEnum):
    """Where a component stands.

    A component that waits for something to come back (a broker, say) is ``STARTING`` again, with the reason. ``FAILED`` is for
    what only a restart can cure.
    """

    STARTING = "starting"
    OK = "ok"
    DRAINING = "draining"
    FAILED = "failed"


NEXT = {
    State.STARTING: {State.STARTING, State.OK, State.DRAINING, State.FAILED},
    State.OK: {State.STARTING, State.OK, State.DRAINING, State.FAILED},
    State.DRAINING: {State.DRAINING, State.FAILED},
    State.FAILED: {State.FAILED},
}
"""Which states may follow which. Draining never goes back to work: the process is about to end."""

REPORTED: Final = frozenset({State.STARTING, State.OK})
"""What those who watch a component say of it, again and again. They go on watching while it drains, and are not heard then."""


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the process. ``reason`` tells a person why it is not OK; empty if there is nothing to tell."""

    state: State = State.STARTING
    reason: str = ""


class Health:
    """The state of the process by its named components, all of them starting at first.

    Components are named once, here, so that a part that never reports keeps the process from being ready.
    """

    def __init__(self, *names: str) -> None:
        self._components = dict.fromkeys(names, Component())
        self._listeners: set[Callable[[], None]] = set()

    def set(self, name: str, state: State, reason: str = "") -> None:
        """Component ``name`` is now in ``state``. While it drains nothing changes by how it is, unless it fails.

        Raises KeyError for a name that was not declared, and IllegalTransition (changing nothing) for a state that cannot follow.
        """
        before = self._components[name].state
        if before is State.DRAINING and state in REPORTED:
            return
        if state not in NEXT[before]:
            raise IllegalTransition(f"component {name!r} is {before} and cannot become {state}")
        self._components[name] = Component(state, reason)
        self._tell()

    def drain(self, reason: str) -> None:
        """The whole process ends soon: every component that has not failed drains."""
        for name, component in self._components.items():
            if component.state is not State.FAILED:
                self._components[name] = Component(State.DRAINING, reason)
        self._tell()

    def listen(self, told: Callable[[], None]) -> Callable[[], None]:
        """Have ``told`` called after every report of a component, until what this gives is called."""
        self._listeners.add(told)
        return lambda: self._listeners.discard(told)

    def _tell(self) -> None:
        for told in list(self._listeners):
            told()

    def __getitem__(self, name: str) -> Component:
        return self._components[name]

    @property
    def ready(self) -> bool:
        """New sessions are welcome: every component is OK."""
        return all(component.state is State.OK for component in self._components.values())

    @property
    def live(self) -> bool:
        """A restart would not help: no component has failed."""
        return not any(component.state is State.FAILED for component in self._components.values())

    def report(self) -> dict[str, Any]:
        """What ``/readyz`` answers: ``{"ready": bool, "live": bool, "components": {name: {"state": str, "reason": str}}}``."""
        return {
            "ready": self.ready,
            "live": self.live,
            "components": {name: {"state": c.state.value, "reason": c.reason} for name, c in self._components.items()},
        }
