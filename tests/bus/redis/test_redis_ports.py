"""The contracts of all ports, on a real Redis."""

from __future__ import annotations

from bus.redis.rig import OneProcessBoard, OneProcessLog, OneProcessResults, OnRedis
from contracts.audio_log_contract import LEAD, AudioLogContract
from contracts.load_board_contract import LoadBoardContract
from contracts.result_bus_contract import ResultBusContract
from contracts.session_directory_contract import SessionDirectoryContract
from contracts.tally_contract import TallyContract
from starling.bus.history import KEPT
from starling.bus.redis.directory import RedisSessionDirectory
from starling.bus.redis.tally import RedisTally


class TestRedisAudioLog(OnRedis, AudioLogContract):
    reads_meanwhile = True

    def make(self, max_lead: int = LEAD) -> OneProcessLog:
        return self.log(max_lead)


class TestRedisResultBus(OnRedis, ResultBusContract):
    most = 25

    def make(self, kept: int = KEPT) -> OneProcessResults:
        return self.results(kept)


class TestRedisSessionDirectory(OnRedis, SessionDirectoryContract):
    def make(self) -> RedisSessionDirectory:
        return RedisSessionDirectory(self.link(), "g")


class TestRedisLoadBoard(OnRedis, LoadBoardContract):
    def make(self) -> OneProcessBoard:
        return self.board()


class TestRedisTally(OnRedis, TallyContract):
    def make(self) -> tuple[RedisTally, RedisTally]:
        link = self.link()
        return RedisTally(link, "one"), RedisTally(link, "two")
