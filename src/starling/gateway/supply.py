"""A session's records on their way into the audio log. Whatever interrupts that, none is lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from starling.core.audio import WaveLayout, seconds
from starling.core.config import SessionConfig
from starling.core.errors import ClientError, StarlingError
from starling.core.ports import AudioLog, Clock
from starling.core.records import EndReason, SessionRecord
from starling.gateway.intake import Intake


class Supply:
    """Takes a session's audio and controls in order. Raises what the audio log does. Any call may be cancelled.

    ``note`` is told what a WAV header said before any audio after it goes to the log.
    """

    def __init__(
        self,
        intake: Intake,
        audio_log: AudioLog,
        clock: Clock,
        *,
        note: Callable[[WaveLayout], Awaitable[None]],
        ended: EndReason | None = None,
    ) -> None:
        self.safe = intake.taken  # bytes that will not be asked for again
        self.ended = ended
        self._intake = intake
        self._note = note
        self._noted = intake.wave
        self._log = audio_log
        self._clock = clock
        self._unwritten: deque[SessionRecord] = deque()

    @property
    def taken(self) -> int:
        """Bytes that were decoded: a client that comes back here goes on from there."""
        return self._intake.taken

    @property
    def heard(self) -> float:
        """Seconds of audio that came in."""
        return seconds(self._intake.position)

    async def feed(self, data: bytes, pause: Callable[[], Awaitable[None]]) -> None:
        """``pause`` is called between the slices of a large message; what it raises leaves the rest of ``data`` untaken."""
        for number, records in enumerate(self._intake.feed(data, self._clock.now())):
            self._add(records)
            if number:
                await pause()
            await self.write()

    async def finalize(self) -> None:
        """End the open segment."""
        self._add(self._intake.finalize(self._clock.now()))
        await self.write()

    async def configure(self, config: SessionConfig) -> None:
        """``config`` from the next segment on."""
        self._add(self._intake.configure(config, self._clock.now()))
        await self.write()

    async def end(self, reason: EndReason) -> ClientError | None:
        """The rest of the audio, then Ended, once; what was wrong with the very end of the audio, if anything."""
        self.ended = reason
        records, fault = self._intake.end(reason, self._clock.now())
        self._add(records)
        await self.write()
        return fault

    async def write(self) -> None:
        """Write what waits."""
        wave = self._intake.wave
        if wave is not None and wave is not self._noted:
            await self._note(wave)
            self._noted = wave
        while self._unwritten:
            record = self._unwritten[0]
            try:
                await self._log.append(record)
            except StarlingError:
                self._unwritten.clear()  # the log is closed, or knows the session no more: nothing will be taken
                raise
            self._unwritten.popleft()
            self.safe = max(self.safe, record.received)

    def _add(self, records: Iterable[SessionRecord]) -> None:
        self._unwritten.extend(records)
