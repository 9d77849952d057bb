"""``starling mic`` with a scripted PortAudio and a scripted server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from client.fake_portaudio import FakePortAudio
from client.scripted_server import DONE, READY, Peer, Script, playing, result
from patience import PATIENCE
from starling.cli.entry import run
from starling.protocols.native.messages import Audio, End, Start


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> FakePortAudio:
    fake = FakePortAudio()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


@contextmanager
def on_another_thread(script: Script) -> Iterator[str]:
    """The address of a server for a command that has the main thread, as commands do."""
    address: list[str] = []
    started, over = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    async def serve() -> None:
        async with playing(script) as url:
            address.append(url)
            started.set()
            await asyncio.to_thread(over.wait, PATIENCE)

    def work() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 - raised again on the main thread
            failures.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=work)
    thread.start()
    started.wait(PATIENCE)
    try:
        yield address[0]
    finally:
        over.set()
        thread.join()
    if failures:
        raise failures[0]


def test_what_is_said_is_captioned_until_ctrl_c(portaudio: FakePortAudio, capsys: pytest.CaptureFixture[str]) -> None:
    portaudio.rates = ()
    portaudio.recorded = [bytes(9600)] * 3

    async def script(peer: Peer) -> None:
        start = await peer.expect(Start)
        assert isinstance(start, Start)
        assert isinstance(start.audio, Audio)
        assert start.audio.sample_rate == 48_000, "the device has no 16 kHz"
        assert start.partials is False, "nobody would see them"
        await peer.send(READY)
        await peer.hear(3 * 9600)
        os.kill(os.getpid(), signal.SIGINT)
        await peer.expect(End)
        await peer.send(result("Hello.", final=True), DONE)
        await peer.close(1000)

    with on_another_thread(script) as url:
        assert run(["mic", "--url", url]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("Hello.\n", "")
    assert portaudio.running == 0


@pytest.mark.usefixtures("portaudio")
def test_the_devices_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["mic", "--list-devices"]) == 0
    assert capsys.readouterr().out == "*   1  headset (1 channels)\n    2  array (4 channels)\n"


@pytest.mark.usefixtures("portaudio")
def test_a_device_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["mic", "--device", "none"]) == 1
    assert capsys.readouterr().err == (
        "starling: cannot record: No input device matching 'none'. See `starling mic --list-devices`\n"
    )
