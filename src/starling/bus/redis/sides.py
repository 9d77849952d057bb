"""What each role has of the bus on Redis."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from starling.bus.redis.audio_log import GatewayAudioLog
from starling.bus.redis.colleagues import RedisColleagues
from starling.bus.redis.directory import RedisSessionDirectory
from starling.bus.redis.follower import RecognizerAudioLog
from starling.bus.redis.inbox import Inbox
from starling.bus.redis.link import Link
from starling.bus.redis.load_board import GatewayLoadBoard, RecognizerLoadBoard
from starling.bus.redis.notary import RedisNotary
from starling.bus.redis.results import GatewayResultBus, RecognizerResultBus
from starling.bus.redis.tally import RedisTally
from starling.bus.redis.tenure import Fence, Tenure
from starling.core.ports import AudioLog


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySide:
    """A gateway's. ``inbox`` must run."""

    audio_log: GatewayAudioLog
    results: GatewayResultBus
    board: GatewayLoadBoard
    directory: RedisSessionDirectory
    tally: RedisTally
    notary: RedisNotary
    colleagues: RedisColleagues
    inbox: Inbox

    @classmethod
    def of(cls, link: Link, gateway: str, now: Callable[[], float], *, max_lead: int) -> Self:
        """``now``: the process's clock, in seconds. ``max_lead``: in samples."""
        return cls.around(
            link, gateway, now, lambda inbox, offset: GatewayAudioLog(link, inbox, max_lead=max_lead, offset=offset)
        )

    @classmethod
    def around(
        cls, link: Link, gateway: str, now: Callable[[], float], audio_log: Callable[[Inbox, float], GatewayAudioLog]
    ) -> Self:
        """``audio_log`` is made of the inbox, and what makes ``now`` the wall's clock, in seconds."""
        offset, inbox = time.time() - now(), Inbox(link, gateway)
        return cls(
            audio_log=audio_log(inbox, offset),
            results=GatewayResultBus(link, inbox),
            board=GatewayLoadBoard(inbox, now, offset=offset),
            directory=RedisSessionDirectory(link, gateway),
            tally=RedisTally(link, gateway),
            notary=RedisNotary(link),
            colleagues=RedisColleagues(link, inbox),
            inbox=inbox,
        )


class RecognizerLog(AudioLog, Fence, Protocol):
    """A recognizer's end of an audio log. ``taken``: records. ``suspects``: sessions that are to be worked on alone."""

    dropped: Callable[[str], None]
    taken: int
    suspects: set[str]

    @property
    def sessions(self) -> int:
        """How many are followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognizerSide:
    """A recognizer's. ``tenure`` must run, as long as it is to have sessions."""

    audio_log: RecognizerLog
    results: RecognizerResultBus
    board: RecognizerLoadBoard
    tenure: Tenure

    @classmethod
    def of(
        cls,
        link: Link,
        recognizer: str,
        now: Callable[[], float],
        *,
        moved: Callable[[str, int], None] = lambda _how, _count: None,
    ) -> Self:
        """``now``: the process's clock, in seconds. ``moved``: see ``Tenure``."""
        tenure = Tenure(link, recognizer, moved=moved)
        return cls.around(link, tenure, now, lambda offset: RecognizerAudioLog(link, tenure, offset=offset))

    @classmethod
    def around(cls, link: Link, tenure: Tenure, now: Callable[[], float], audio_log: Callable[[float], RecognizerLog]) -> Self:
        """``audio_log`` is made of what makes ``now`` the wall's clock, in seconds."""
        offset = time.time() - now()
        log = audio_log(offset)
        results = RecognizerResultBus(link, log)
        log.dropped = results.drop
        return cls(audio_log=log, results=results, board=RecognizerLoadBoard(link, offset=offset), tenure=tenure)
