"""A recognizer's end of the audio log on Redis: it follows the partitions that it has leased."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from starling.bus.entries import unpack_entry
from starling.bus.following import Bounds, Following, Part, Reading
from starling.bus.redis.leased_log import LeasedAudioLog
from starling.core.records import Opened

COUNT: Final = 200
"""Records of one partition that are read at once."""

BLOCK: Final = 200
"""Milliseconds that a look at the log waits for something new: so long it may take to notice another partition."""


@dataclass(slots=True)
class _Stream(Part):
    """A partition: the last record that was there when it was taken, and the last one that was read."""

    surveyed: tuple[int, int]
    last: bytes = b"0-0"


class _Streamed(Reading[bytes]):
    """A session whose records are on a stream, by their ids."""

    @property
    def bounds(self) -> Bounds:
        return Bounds(self.oldest or b"", self.newest or b"")


class _OnStreams(Following[_Stream, _Streamed]):
    """What stands on streams, by its id."""

    def take(self, partition: int, entry_id: bytes, session_id: str, data: bytes, *, offset: float) -> bool:
        """Whether it is passed on."""
        reading = self.readings.get(session_id)
        entry = unpack_entry(session_id, data, offset=offset)
        if isinstance(entry.record, Opened):
            if reading is None and _ordered(entry_id) > self.parts[partition].surveyed:
                reading = self.begin(_Streamed(entry.record, partition))
            if reading is not None:
                reading.newest = entry_id
            return False
        if reading is None or not reading.count(entry_id, entry):  # it is over, or known
            return False
        self.out.append(entry.record)
        return True


class RecognizerAudioLog(LeasedAudioLog[_OnStreams]):
    """Its records are on streams."""

    def _nothing(self) -> _OnStreams:
        return _OnStreams(self.suspects, self.dropped)

    async def _change(self, following: _OnStreams) -> None:
        held = dict(self._tenure.held)
        following.lost(held)
        for partition, epoch in held.items():
            if partition not in following.parts:
                await self._take_up(following, partition, epoch)

    async def _take_up(self, following: _OnStreams, partition: int, epoch: int) -> None:
        survey = await self._survey(partition)
        for it in survey.sessions:
            following.begin(_Streamed(it.opened, partition), it.strikes)
        following.parts[partition] = _Stream(epoch, _ordered(survey.last))

    async def _read(self, following: _OnStreams) -> bool:
        if following.parts:
            return await self._until_changed(self._look(following))
        if not self._closed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._tenure.changed.wait(), BLOCK / 1000)
        return not self._closed

    async def _until_changed(self, reading: Coroutine[Any, Any, bool]) -> bool:
        """What ``reading`` answers, unless the tenure changes: then it is given up, having changed nothing."""
        tasks = asyncio.create_task(reading, name="read"), asyncio.create_task(self._tenure.changed.wait(), name="tenure")
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        return True if tasks[0].cancelled() else tasks[0].result()

    async def _look(self, following: _OnStreams) -> bool:
        streams = {f"{self._link.prefix}log:{partition}".encode(): part.last for partition, part in following.parts.items()}
        found = await self._link.read(streams, block=0 if self._closed else BLOCK, count=COUNT)
        for stream, entries in found:
            partition = int(stream.rpartition(b":")[2])
            for entry_id, fields in entries:
                for session_id, data in fields.items():
                    self.taken += following.take(partition, entry_id, session_id.decode(), data, offset=self._offset)
                following.parts[partition].last = entry_id
        return bool(found)


def _ordered(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition(b"-")
    return int(milliseconds), int(number or 0)
