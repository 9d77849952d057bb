"""What every Notary promises. A test module inherits NotaryContract and says how to make two gateways' ends of one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from starling.core.ports import Notary
from virtual_time import run

ROOTS = b"a" * 32, b"b" * 32
LONG = 3600
"""Seconds: more than a test takes."""


class NotaryContract:
    def run(self, scenario: Coroutine[Any, Any, None]) -> None:
        """Run ``scenario`` where time costs nothing."""
        run(scenario)

    def make(self) -> tuple[Notary, Notary]:
        """The ends of two gateways."""
        raise NotImplementedError

    def test_all_sign_with_what_the_first_brought(self) -> None:
        async def scenario() -> None:
            one, two = self.make()
            agreed = await asyncio.gather(one.root(ROOTS[0]), two.root(ROOTS[1]))
            assert len({*agreed}) == 1
            assert agreed[0] in ROOTS
            assert await one.root(b"c" * 32) == agreed[0]

        self.run(scenario())

    def test_what_is_good_once_is_good_at_one_gateway(self) -> None:
        async def scenario() -> None:
            one, two = self.make()
            root = await one.root(ROOTS[0])
            asked = [end.spend(f"n{number}", LONG, root) for number in range(5) for end in (one, two, one, two)]
            assert sum(await asyncio.gather(*asked)) == 5
            assert not await two.spend("n0", LONG, root)
            assert await two.spend("n5", LONG, root)

        self.run(scenario())

    def test_what_was_signed_with_another_root_is_good_nowhere(self) -> None:
        async def scenario() -> None:
            one, two = self.make()
            root = await one.root(ROOTS[0])
            assert not await two.spend("n", LONG, ROOTS[1])
            assert await one.spend("n", LONG, root), "nobody has used it"

        self.run(scenario())
