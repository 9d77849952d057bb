"""Colleagues in memory: of several gateways that share a process, in tests for instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping


class MemoryColleagues:
    """Those of ``gateway``, and by ``at`` those of another one."""

    def __init__(self, gateway: str, desks: dict[str, Callable[[bytes], bytes] | None] | None = None) -> None:
        self.name = gateway
        self._desks = {} if desks is None else desks
        self._desks[gateway] = None

    def at(self, gateway: str) -> MemoryColleagues:
        """The same, at another gateway."""
        return MemoryColleagues(gateway, self._desks)

    def on_question(self, answer: Callable[[bytes], bytes]) -> None:
        self._desks[self.name] = answer

    async def ask(self, question: bytes) -> Mapping[str, bytes | None]:
        return {name: desk and desk(question) for name, desk in self._desks.items() if name != self.name}
