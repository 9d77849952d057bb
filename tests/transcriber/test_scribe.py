"""A scribe on a thread, without the confinement that would hold the tests themselves, and the transcriber's end of it."""

from __future__ import annotations

import asyncio
import io
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO

import msgspec
import numpy as np
import pytest

from audio.streams import mux, opus_packets, page, wav
from scripted_session import conversation
from starling.core.audio import Samples
from starling.core.config import SessionConfig
from starling.core.errors import StoreUnavailable
from starling.core.jobs import Channels, JobSegment
from starling.core.records import Checkpoint
from starling.engine.scripted import ScriptedEngine
from starling.recognizer import Recognizer
from starling.session.options import SegmentationOptions
from starling.transcriber import dictation
from starling.transcriber.channel import Tools
from starling.transcriber.dictation import cause_of, dictate
from starling.transcriber.messages import Order, Over, Told
from starling.transcriber.ports import Undone
from starling.transcriber.scribe import write
from starling.vad.energy import EnergyVad
from starling.vad.gate import GateOptions

CONFIG = SessionConfig(endpoint_silence=0.3, partials=False)


class Unconfined:
    """Grants everything, and remembers what was asked."""

    def __init__(self) -> None:
        self.granted: list[tuple[float, int]] = []
        self.urgent: bool | None = None

    def begin(self, *, urgent: bool) -> None:
        self.urgent = urgent

    def grant(self, done: float, channels: int) -> None:
        self.granted.append((done, channels))


class ThreadScribe:
    """``status``: what its process would end with, once it says nothing more."""

    def __init__(self, *, status: int = 0, failing: Sequence[int] = ()) -> None:
        self.sock, self._its = socket.socketpair()
        self.status = status
        self.confined = Unconfined()
        tools = Tools(
            engine=ScriptedEngine(failing=failing), vad=EnergyVad(), segmentation=SegmentationOptions(), gate=GateOptions()
        )
        self._thread = threading.Thread(target=write, args=(self._its, tools, self.confined), daemon=True)
        self._thread.start()

    def kill(self) -> None:
        with suppress(OSError):  # it has closed it
            self._its.shutdown(socket.SHUT_RDWR)

    def still(self) -> bool:
        return False

    async def wait(self) -> int:
        await asyncio.to_thread(self._thread.join)
        return self.status


def order(data: bytes, channels: Channels = Channels.MIXED, checkpoints: tuple[Checkpoint | None, ...] = ()) -> Order:
    return Order(
        job_id="local",
        trace_id="",
        config=CONFIG,
        channels=channels,
        checkpoints=checkpoints,
        max_duration=600.0,
        size=len(data),
    )


def dictated(
    data: bytes, scribe: ThreadScribe, channels: Channels = Channels.MIXED, file: BinaryIO | None = None
) -> tuple[Over, list[JobSegment]]:
    found: list[JobSegment] = []

    async def told(news: Told) -> None:
        found.extend(segment for one in news.found for segment in one.segments)

    async def main() -> Over:
        return await dictate(scribe, order(data, channels), file or io.BytesIO(data), told)

    return asyncio.run(main()), found


def texts(samples: Samples) -> list[str]:
    with Recognizer(engine=ScriptedEngine(), vad=EnergyVad()) as recognizer:
        return [final.text for final in recognizer.transcribe(samples, CONFIG) if final.text]


def test_a_recording_is_read_over_the_socket_and_told() -> None:
    sound = conversation(0.5, 2.0, 1.0, 3.0, 0.4)
    scribe = ThreadScribe()
    over, found = dictated(wav(sound.tobytes()), scribe)
    assert [one.transcript.text for one in found] == texts(sound)
    assert over.duration == pytest.approx(len(sound) / 16_000)
    done = [done for done, _ in scribe.confined.granted]
    assert done == sorted(done)
    assert {channels for _, channels in scribe.confined.granted} == {1}


@pytest.mark.parametrize("urgent", [False, True])
def test_whoever_confines_a_scribe_learns_whether_somebody_waits(urgent: bool) -> None:  # noqa: FBT001 - it is a parameter
    data, scribe = wav(conversation(0.5, 2.0, 1.0).tobytes()), ThreadScribe()

    async def told(news: Told) -> None: ...

    asyncio.run(dictate(scribe, msgspec.structs.replace(order(data), urgent=urgent), io.BytesIO(data), told))
    assert scribe.confined.urgent is urgent


class Hanging:
    """Says nothing, and computes until somebody has looked three times."""

    def __init__(self) -> None:
        self.sock, self._its = socket.socketpair()
        self.looks = 0
        self.killed = False

    def kill(self) -> None:
        self.killed = True
        self._its.close()

    def still(self) -> bool:
        self.looks += 1
        return self.looks == 3

    async def wait(self) -> int:
        assert self.killed
        return -9


def test_a_scribe_that_hangs_is_ended_and_one_that_computes_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictation, "STILL", 0.01)
    scribe = Hanging()

    async def told(news: Told) -> None: ...

    with pytest.raises(Undone) as undone:
        asyncio.run(dictate(scribe, order(b""), io.BytesIO(b""), told))
    assert (undone.value.error.code, undone.value.error.final) == ("scribe_hung", False)
    assert scribe.killed
    assert scribe.looks == 3


def test_channels_apart() -> None:
    left, right = conversation(0.5, 2.0, 1.0), conversation(1.0, 0.5, 2.0, seed=3)
    data = wav(np.stack([left, right], axis=1).tobytes(), channels=2)
    scribe = ThreadScribe()
    _, found = dictated(data, scribe, Channels.SEPARATE)
    for channel, sound in enumerate([left, right]):
        assert [one.transcript.text for one in found if one.channel == channel] == texts(sound)
    assert {channels for _, channels in scribe.confined.granted} == {2}


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "corrupt_audio"), (b"Dear Sir,\n" * 99, "corrupt_audio"), (wav(b""), "corrupt_audio")]
)
def test_what_is_no_recording_is_said_to_be_none_for_good(data: bytes, code: str) -> None:
    with pytest.raises(Undone) as undone:
        dictated(data, ThreadScribe())
    assert (undone.value.error.code, undone.value.error.final) == (code, True)
    assert "expected" in undone.value.error.message


def test_a_recording_that_is_far_longer_than_it_is_large_is_not_heard_to_its_end() -> None:
    bomb = mux("flac", "flac", np.zeros(1_000 * 16_000, np.int16), 16_000)
    assert len(bomb) < 200_000
    with pytest.raises(Undone) as undone:
        dictated(bomb, ThreadScribe())
    assert (undone.value.error.code, undone.value.error.final) == ("recording_too_long", True)
    assert "at most 600 seconds" in undone.value.error.message


@pytest.mark.parametrize(("part", "codes"), [(1.0, []), (0.5, ["breaks_off"])])
def test_a_recording_that_breaks_off_is_done_and_said_to_be_cut(part: float, codes: list[str]) -> None:
    sound = conversation(0.5, 3.0, 1.0, 3.0, 1.0)
    data = wav(sound.tobytes())
    whole = data[: round(len(data) * part) // 2 * 2]
    over, found = dictated(whole, ThreadScribe())
    assert [one.code for one in over.warnings] == codes
    assert [one.transcript.text for one in found] == texts(sound[: (len(whole) - 44) // 2])


def opus_file(packets: Sequence[bytes]) -> bytes:
    head = mux("ogg", "libopus", np.zeros(960, np.int16), 48_000)
    serial = int.from_bytes(head[14:18], "little")
    header_pages = b"".join(b"OggS" + part for part in head.split(b"OggS")[1:3])
    return header_pages + b"".join(
        page(
            [packet],
            sequence=2 + number,
            serial=serial,
            granule=960 * (number + 1),
            flags=4 if number == len(packets) - 1 else 0,  # the last page says so
        )
        for number, packet in enumerate(packets)
    )


@pytest.mark.parametrize(("broken", "codes"), [(80, ["damaged", "gaps"]), (10, ["gaps"]), (1, [])])
def test_what_can_be_heard_of_a_damaged_recording_is_heard(broken: int, codes: list[str]) -> None:
    good = opus_packets(1.2)
    over, _ = dictated(opus_file([*good, *[b"\xff\xff\xff"] * broken, *good]), ThreadScribe())
    assert [one.code for one in over.warnings if one.code != "no_speech"] == codes
    assert over.duration >= 1.0


def test_where_nobody_spoke_it_is_said() -> None:
    over, found = dictated(wav(np.zeros(80_000, np.int16).tobytes()), ThreadScribe())
    assert found == []
    [one] = over.warnings
    assert (one.code, one.message) == ("no_speech", "nobody was heard to speak in 5.0 s of sound")


def test_an_engine_that_fails_may_do_better_the_next_time() -> None:
    with pytest.raises(Undone) as undone:
        dictated(wav(conversation(0.5, 2.0, 1.0).tobytes()), ThreadScribe(failing=[0]))
    assert (undone.value.error.code, undone.value.error.final) == ("engine_failed", False)


class Flaky(io.BytesIO):
    """A recording whose store goes away after ``good`` bytes."""

    def __init__(self, data: bytes, good: int, error: Exception) -> None:
        super().__init__(data)
        self.good = good
        self.error = error

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= self.good:
            raise self.error
        return super().read(size)


@pytest.mark.parametrize("good", [0, 1 << 20])
@pytest.mark.parametrize(
    ("error", "code"),
    [(OSError(5, "Input/output error"), "recording_unreadable"), (StoreUnavailable("away"), "store_unavailable")],
)
def test_a_recording_that_cannot_be_read_is_tried_again(good: int, error: Exception, code: str) -> None:
    data = wav(conversation(0.5, 20.0, 20.0).tobytes())
    with pytest.raises(Undone) as undone:
        dictated(data, ThreadScribe(), file=Flaky(data, good, error))
    assert (undone.value.error.code, undone.value.error.final) == (code, False)


def test_a_scribe_that_ends_without_a_word_is_explained() -> None:
    class Mute(ThreadScribe):
        def __init__(self) -> None:
            super().__init__(status=-11)
            self.kill()

    with pytest.raises(Undone) as undone:
        dictated(wav(conversation(0.5).tobytes()), Mute())
    assert (undone.value.error.code, undone.value.error.final) == ("scribe_ended", False)
    assert "SIGSEGV" in undone.value.error.message


@pytest.mark.parametrize(
    ("status", "code"), [(-24, "too_much_computing"), (-9, "scribe_killed"), (-6, "scribe_ended"), (1, "scribe_ended")]
)
def test_every_end_has_a_name(status: int, code: str) -> None:
    assert cause_of(status).code == code


def test_a_listener_that_fails_ends_the_scribe() -> None:
    scribe = ThreadScribe()

    async def told(news: Told) -> None:
        raise RuntimeError("enough")

    async def main() -> None:
        data = wav(conversation(0.5, 2.0, 1.0).tobytes())
        await dictate(scribe, order(data), io.BytesIO(data), told)

    with pytest.raises(RuntimeError, match="enough"):
        asyncio.run(main())
    assert not scribe._thread.is_alive()
