"""The microphone with a scripted PortAudio: threads, limits and what goes wrong."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable

import pytest

from client.fake_portaudio import FakePortAudio
from starling.client.handover import Handover
from starling.client.microphone import HELD_BLOCKS, Device, MicrophoneFailed, list_devices, open_microphone
from starling.core.audio import AudioFormat, Encoding


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> FakePortAudio:
    fake = FakePortAudio()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


async def drain(blocks: Handover[bytes], heard: list[bytes]) -> None:
    async for block in blocks:
        heard.append(block)  # noqa: PERF401 - what came before an error is the point


def on_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_blocks_cross_from_the_recording_thread_in_order(portaudio: FakePortAudio) -> None:
    async def listen() -> list[bytes]:
        heard: list[bytes] = []
        with open_microphone() as capture:
            assert portaudio.running == 1
            assert capture.audio == AudioFormat(Encoding.PCM_S16LE, 16_000)
            record = portaudio.opened[0]["callback"]
            on_thread(lambda: [record(bytearray([n]), 1, None, None) for n in range(5)])
            async for block in capture.blocks:
                heard.append(block)
                if len(heard) == 5:
                    break
        return heard

    assert asyncio.run(listen()) == [b"\0", b"\1", b"\2", b"\3", b"\4"]
    assert portaudio.running == 0
    assert portaudio.opened[0]["blocksize"] == 1600


def test_a_device_without_16_khz_records_at_its_own_rate(portaudio: FakePortAudio) -> None:
    portaudio.rates = ()

    async def open_it() -> AudioFormat:
        with open_microphone("headset") as capture:
            return capture.audio

    assert asyncio.run(open_it()) == AudioFormat(Encoding.PCM_S16LE, 48_000)
    assert portaudio.opened[0]["device"] == "headset"


def test_a_device_that_is_not_there_says_where_to_look(portaudio: FakePortAudio) -> None:
    async def open_it() -> None:
        with open_microphone("none"):
            pass

    with pytest.raises(MicrophoneFailed, match=r"matching 'none'. See `starling mic --list-devices`"):
        asyncio.run(open_it())


def test_only_inputs_are_listed(portaudio: FakePortAudio) -> None:
    assert list_devices() == [Device(1, "headset", 1, is_default=True), Device(2, "array", 4, is_default=False)]


def test_a_microphone_that_stops_is_an_error_after_its_last_block(portaudio: FakePortAudio) -> None:
    async def listen() -> list[bytes]:
        heard: list[bytes] = []
        with open_microphone() as capture:
            portaudio.opened[0]["callback"](b"x", 1, None, None)
            portaudio.opened[0]["finished_callback"]()
            with pytest.raises(MicrophoneFailed, match="unplugged"):
                await drain(capture.blocks, heard)
        return heard

    assert asyncio.run(listen()) == [b"x"]


def test_a_server_that_takes_nothing_for_a_minute_is_an_error_and_never_a_hole(portaudio: FakePortAudio) -> None:
    async def listen() -> list[bytes]:
        heard: list[bytes] = []
        with open_microphone() as capture:
            for n in range(HELD_BLOCKS + 5):
                portaudio.opened[0]["callback"](n.to_bytes(2, "big"), 1, None, None)
            with pytest.raises(MicrophoneFailed, match="taken no audio for 60 s"):
                await drain(capture.blocks, heard)
        return heard

    assert asyncio.run(listen()) == [n.to_bytes(2, "big") for n in range(HELD_BLOCKS)]


@pytest.mark.parametrize(
    ("failure", "advice"),
    [(ImportError("no module"), r"pip install 'starling\[mic\]'"), (OSError("PortAudio library not found"), "libportaudio2")],
)
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, failure: Exception, advice: str) -> None:
    def missing(name: str) -> None:
        assert name == "sounddevice"
        raise failure

    monkeypatch.setattr("starling.client.microphone.importlib.import_module", missing)
    with pytest.raises(MicrophoneFailed, match=advice):
        list_devices()
