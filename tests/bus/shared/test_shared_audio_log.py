from __future__ import annotations

from collections.abc import Iterator

import pytest

from bus.shared.other_process import OtherProcess, remote
from bus.shared.rig import SharedLog, arena
from contracts.audio_log_contract import LEAD, AudioLogContract
from starling.bus.shared.audio_log import GatewayAudioLog, WorkerAudioLog


class TestSharedAudioLog(AudioLogContract):
    def make(self, max_lead: int = LEAD) -> SharedLog:
        return SharedLog(arena(max_lead=max_lead))


@pytest.fixture(scope="class")
def other() -> Iterator[OtherProcess]:
    with OtherProcess() as process:
        yield process


class TestWriterInAnotherProcess(AudioLogContract):
    @pytest.fixture(autouse=True)
    def _remember(self, other: OtherProcess) -> None:
        self.other = other

    def make(self, max_lead: int = LEAD) -> SharedLog:
        log = SharedLog(arena(max_lead=max_lead))
        self.other.attach(log.arena)
        slots = remote(self.other, "slots", log.wake)
        log.gateway = GatewayAudioLog(remote(self.other, "writer", log.wake), slots, log.gateway_watch)
        return log


class TestReaderInAnotherProcess(AudioLogContract):
    @pytest.fixture(autouse=True)
    def _remember(self, other: OtherProcess) -> None:
        self.other = other

    def make(self, max_lead: int = LEAD) -> SharedLog:
        log = SharedLog(arena(max_lead=max_lead))
        self.other.attach(log.arena)
        log.recognizer = WorkerAudioLog(remote(self.other, "reader", log.wake), log.worker_watch)
        return log
