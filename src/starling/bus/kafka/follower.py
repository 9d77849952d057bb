"""A recognizer's end of the audio log on Kafka: it follows the partitions that it was assigned and has leased."""

from __future__ import annotations

from typing import Final

from starling.bus.kafka.following import Offsets, OnKafka
from starling.bus.kafka.group import Group, Place
from starling.bus.redis.leased_log import Holding, LeasedAudioLog
from starling.bus.redis.link import Link
from starling.core.errors import ServerError

LOOK: Final = 0.2
"""Seconds that a look at the log waits for something new: so long it may take to notice another partition."""


class KafkaRecognizerAudioLog(LeasedAudioLog[OnKafka]):
    """Its records are on Kafka, and it reads them as a member of ``group``.

    What is committed to Kafka follows what counts: the smallest offset that any session of the partition needs, and where to
    begin after that.
    """

    def __init__(self, link: Link, tenure: Holding, group: Group, *, offset: float = 0.0) -> None:
        super().__init__(link, tenure, offset=offset)
        self._group = group

    def _nothing(self) -> OnKafka:
        return OnKafka(self.suspects, self.dropped)

    async def _change(self, following: OnKafka) -> None:
        self._group.join()
        held = {it: epoch for it, epoch in self._tenure.held.items() if it in self._group.assigned}
        lost = following.lost(held)
        gained = [it for it in held if it not in following.parts]
        try:
            if lost:
                await self._group.leave(lost)
            places = await self._group.begin(gained) if gained else {}
        except ServerError:  # it is taken away as we speak, or Kafka is away: look again
            return
        for partition, place in places.items():
            await self._take_up(following, partition, held[partition], place)

    async def _take_up(self, following: OnKafka, partition: int, epoch: int, place: Place) -> None:
        survey = await self._survey(partition)
        following.parts[partition] = Offsets(epoch, next=place.start, until=place.end, writers=survey.writers, kept=place.start)
        for it in survey.sessions:
            following.open(it.opened, partition, it.first, it.strikes)

    async def _read(self, following: OnKafka) -> bool:
        values = await self._group.read(LOOK)
        for value in values:
            self.taken += following.take(value, offset=self._offset)
        following.release()
        return bool(values)

    def _caught_up(self, following: OnKafka) -> bool:
        return following.parts.keys() == self._tenure.held.keys() and all(it.caught_up for it in following.parts.values())

    def _committed(self, partition: int) -> None:
        offset = self._following.needless(partition)
        if offset is not None:
            self._group.keep(partition, offset)
