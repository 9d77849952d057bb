"""A gateway and a recognizer that say nothing but what follows from positions: whoever takes over must say the same.

Run as a script: role, row, the file descriptor of the arena.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import Final

import numpy as np

from starling.bus.shared.arena import Arena
from starling.bus.shared.sides import GatewaySide, WorkerSide
from starling.core.audio import AudioFormat, Samples
from starling.core.config import SessionConfig
from starling.core.errors import IllegalTransition, SessionGone
from starling.core.records import Audio, Checkpoint, Ended, Opened, Record
from starling.core.sessions import SessionEntry
from starling.core.transcript import SessionDone, SpeechStarted, Transcript

SESSIONS: Final = ("a", "b", "c")
CHUNK: Final = 320
SEGMENT: Final = 3 * CHUNK + 100
LENGTH: Final = 200 * CHUNK
SEGMENTS: Final = LENGTH // SEGMENT


def sound(session_id: str, start: int, end: int) -> Samples:
    return ((np.arange(start, end) * 7919 + ord(session_id)) % 30_011).astype(np.int16)


def text(session_id: str, segment_id: int) -> str:
    """What the segment's final says."""
    return str(int(sound(session_id, segment_id * SEGMENT, (segment_id + 1) * SEGMENT).astype(np.int64).sum()))


async def gateway(arena: Arena) -> None:
    side = GatewaySide.of(arena)
    known = {entry.session_id for entry in await side.directory.entries()}
    async with asyncio.TaskGroup() as tasks:
        for session_id in SESSIONS:
            tasks.create_task(speak(side, session_id, known=session_id in known))
    await asyncio.Event().wait()


async def speak(side: GatewaySide, session_id: str, *, known: bool) -> None:
    with suppress(SessionGone):  # all was said
        if not known:
            await side.directory.put(
                SessionEntry(
                    session_id=session_id,
                    trace_id="trace",
                    token_digest=b"",
                    audio=AudioFormat(),
                    config=SessionConfig(),
                    opened=0.0,
                )
            )
        try:
            (await side.results.subscribe(session_id, after=-1)).close()
        except SessionGone:
            (await side.results.subscribe(session_id)).close()
        with suppress(IllegalTransition):  # the gateway before has opened it
            await side.audio_log.append(Opened(session_id, "trace", Checkpoint(config=SessionConfig())))
        tail = await side.audio_log.tail(session_id)
        sequence = tail.sequence
        for start in range(tail.position, LENGTH, CHUNK):
            sequence += 1
            end = min(start + CHUNK, LENGTH)
            await side.audio_log.append(Audio(session_id, sequence, start, sound(session_id, start, end), received=2 * end))
            await asyncio.sleep(0.002)
        if not tail.ended:
            await side.audio_log.append(Ended(session_id, sequence + 1, received=2 * LENGTH))


class Recognizer:
    """One session, from its last checkpoint."""

    def __init__(self, side: WorkerSide, opened: Opened) -> None:
        self._side = side
        self._id = opened.session_id
        self._config = opened.checkpoint.config
        self._segment = opened.checkpoint.next_segment
        self._start = opened.checkpoint.position
        self._heard: Samples = np.zeros(0, np.int16)

    async def receive(self, record: Record) -> None:
        match record:
            case Audio():
                fresh = self._start + len(self._heard) - record.start
                assert fresh >= 0, "no audio is missing"
                self._heard = np.concatenate((self._heard, record.samples[fresh:]))
                await self._recognize()
            case Ended():
                await self._side.results.publish(SessionDone(self._id, LENGTH, self._segment))
                await self._side.audio_log.forget(self._id)

    async def _recognize(self) -> None:
        if len(self._heard):
            await self._side.results.publish(SpeechStarted(self._id, self._segment, self._segment * SEGMENT))
            await self._side.results.publish(self._transcript("...", len(self._heard), is_final=False))
        while len(self._heard) >= SEGMENT:
            said = str(int(self._heard[:SEGMENT].astype(np.int64).sum()))
            await self._side.results.publish(self._transcript(said, SEGMENT, is_final=True))
            self._heard, self._start, self._segment = self._heard[SEGMENT:], self._start + SEGMENT, self._segment + 1
            checkpoint = Checkpoint(config=self._config, position=self._start, next_segment=self._segment)
            await self._side.audio_log.commit(self._id, checkpoint)

    def _transcript(self, said: str, length: int, *, is_final: bool) -> Transcript:
        return Transcript(
            session_id=self._id,
            segment_id=self._segment,
            revision=1,
            is_final=is_final,
            text=said,
            stable_text="",
            start=self._start,
            end=self._start + length,
        )


async def worker(arena: Arena, row: int) -> None:
    side = WorkerSide.of(arena, row, f"w{row}")
    sessions: dict[str, Recognizer] = {}
    async for batch in side.audio_log.follow():
        for record in batch:
            if isinstance(record, Opened):
                sessions[record.session_id] = Recognizer(side, record)
            else:
                await sessions[record.session_id].receive(record)


if __name__ == "__main__":
    attached = Arena.attach(int(sys.argv[3]))
    asyncio.run(gateway(attached) if sys.argv[1] == "gateway" else worker(attached, int(sys.argv[2])))
