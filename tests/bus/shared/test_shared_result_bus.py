from __future__ import annotations

from collections.abc import Iterator

import pytest

from bus.shared.other_process import OtherProcess, remote
from bus.shared.rig import SharedResults, arena
from contracts.result_bus_contract import ResultBusContract
from starling.bus.history import KEPT
from starling.bus.shared.result_bus import WorkerResultBus


class TestSharedResultBus(ResultBusContract):
    def make(self, kept: int = KEPT) -> SharedResults:
        return SharedResults(arena(), kept=kept)


@pytest.fixture(scope="class")
def other() -> Iterator[OtherProcess]:
    with OtherProcess() as process:
        yield process


class TestWriterInAnotherProcess(ResultBusContract):
    @pytest.fixture(autouse=True)
    def _remember(self, other: OtherProcess) -> None:
        self.other = other

    def make(self, kept: int = KEPT) -> SharedResults:
        shared = arena()
        self.other.attach(shared, kept=kept)
        bus = SharedResults(shared, kept=kept)
        bus.recognizer = WorkerResultBus(remote(self.other, "results", shared.gateway_bell.ring))
        return bus
