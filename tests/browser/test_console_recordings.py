"""Files into the console, and transcripts out of it."""

from __future__ import annotations

import base64
import io

import av
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from browser.console_page import Console
from browser.stub_server import Peer, StubServer
from recordings import recording_path

pytestmark = pytest.mark.browser

DROP = """([name, size, content]) => {
  const bytes = size > 0 ? new Uint8Array(size) : Uint8Array.from(atob(content), (byte) => byte.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name));
  const event = { dataTransfer: files, bubbles: true, cancelable: true };
  for (const type of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(type, event));
}"""


def drop(page: Page, name: str, content: bytes = b"", *, size: int = 0) -> None:
    page.evaluate(DROP, [name, size, base64.b64encode(content).decode()])


async def hear_all(peer: Peer) -> None:
    """Two sentences, whatever was sent."""
    await peer.ready()
    await peer.read_until("end")
    await peer.result(0, 0, "Ever tried. Ever failed.", final=True, start=0.5, end=3.25)
    await peer.result(1, 0, "No matter.", final=True, start=4.0, end=5.0)
    await peer.done()


def ogg(samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> bytes:
    """16 kHz ``samples`` as stereo Opus in Ogg."""
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(samples.repeat(2).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = 16_000
        for resampled in av.AudioResampler(format="flt", layout="stereo", rate=48_000).resample(frame):
            container.mux(stream.encode(resampled))
        container.mux(stream.encode(None))
    return file.getvalue()


def test_a_dropped_recording_is_sent_whole(console: Console, stub: StubServer) -> None:
    stub.script = hear_all
    page = console.open()
    recording = recording_path("beckett")
    drop(page, recording.name, recording.read_bytes())
    expect(page.locator("#settled .segment p")).to_have_text(["Ever tried. Ever failed.", "No matter."])
    expect(page.locator("#status")).to_have_text("Done")
    sent = np.frombuffer(stub.peers[0].audio, np.int16)
    original = np.frombuffer(recording.read_bytes()[44:], np.int16)[: len(sent)]
    assert len(sent) == len(original)
    assert np.abs(sent.astype(int) - original).max() <= 1
    expect(page.locator("#sent")).to_have_text("10.0 s")
    expect(page.locator("#progress")).to_have_attribute("value", "100")
    expect(page.locator("#first-words-note")).to_have_text("of live sound only")


def test_other_formats_are_decoded_by_the_browser(console: Console, stub: StubServer) -> None:
    stub.script = hear_all
    page = console.open()
    tone = (8000 * np.sin(np.arange(32_000) * 2 * np.pi * 440 / 16_000)).astype(np.int16)
    page.locator("#file").set_input_files({"name": "tone.ogg", "mimeType": "audio/ogg", "buffer": ogg(tone)})
    expect(page.locator("#status")).to_have_text("Done")
    sent = np.frombuffer(stub.peers[0].audio, np.int16)
    assert len(sent) == pytest.approx(32_000, abs=800)
    assert np.sqrt(np.mean(sent[4000:-4000].astype(float) ** 2)) == pytest.approx(8000 / np.sqrt(2), rel=0.05)


def test_playing_along_takes_as_long_as_listening(console: Console, stub: StubServer) -> None:
    stub.script = hear_all
    page = console.open()
    page.get_by_label("Play recordings along").check()
    page.locator("#file").set_input_files(recording_path("success"))  # one second
    expect(page.locator("#status")).to_have_text("Captioning success.wav")
    expect(page.locator("#status")).to_have_text("Done")
    assert len(stub.peers[0].audio) / 32_000 == pytest.approx(1.0, abs=0.02)
    assert page.get_by_label("Elapsed").inner_text() >= "0:01"  # and no more, where the machine is not busy


POUR = """async (content) => {
  const { Recording } = await import("/recording.js");
  const bytes = Uint8Array.from(atob(content), (byte) => byte.charCodeAt(0));
  const recording = new Recording(new File([bytes], "a.wav"), { playAlong: false });
  await recording.open();
  let [waiting, most, total, asked] = [0, 0, 0, 0];
  await new Promise((finished) => recording.start({
    push(pcm) {
      waiting += pcm.byteLength;
      total += pcm.byteLength;
      most = Math.max(most, waiting);
    },
    buffered() {
      asked += 1;
      if (asked % 20 === 0) waiting = 0; // the server reads, now and then
      return waiting;
    },
    finished,
  }));
  return [most, total];
}"""


def test_no_more_is_sent_than_the_server_takes(modules: Page) -> None:
    most, total = modules.evaluate(POUR, base64.b64encode(wav(np.zeros(60 * 8000, np.int16), 8000)).decode())
    assert total == 2 * 16_000 * 60
    assert 100_000 < most < 300_000


def test_what_is_no_recording_is_refused_in_words(console: Console, stub: StubServer) -> None:
    page = console.open()
    alert = page.get_by_role("alert")
    drop(page, "notes.txt", b"not a sound")
    expect(alert).to_contain_text("No sound could be read from this file")
    expect(alert).to_contain_text("notes.txt")
    drop(page, "nothing.wav")
    expect(alert).to_contain_text("This file is empty")
    drop(page, "huge.wav", size=101 * 1024 * 1024)
    expect(alert).to_contain_text("huge.wav is over 100 MB")
    expect(alert.get_by_role("button", name="Try again")).to_be_hidden()
    alert.get_by_role("button", name="Dismiss").click()
    expect(alert).to_be_hidden()
    assert stub.peers == []


def test_one_thing_at_a_time(console: Console, stub: StubServer) -> None:
    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.read_until("end")
        await peer.done()

    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#status")).to_have_text("Listening")
    drop(page, "beckett.wav", b"RIFF")
    expect(page.get_by_role("alert")).to_contain_text("Stop what is running, then open beckett.wav again.")
    expect(page.get_by_role("button", name="Open a recording")).to_be_disabled()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")


def test_the_transcript_can_be_taken_along(console: Console, stub: StubServer) -> None:
    stub.script = hear_all
    page = console.open()
    expect(page.get_by_role("group", name="Transcript")).to_be_hidden()
    page.locator("#file").set_input_files(recording_path("beckett"))
    expect(page.locator("#status")).to_have_text("Done")
    with page.expect_download() as txt:
        page.get_by_role("button", name="Download as TXT").click()
    assert txt.value.suggested_filename == "beckett.txt"
    assert txt.value.path().read_text() == "Ever tried. Ever failed.\nNo matter.\n"
    with page.expect_download() as srt:
        page.get_by_role("button", name="Download as SRT").click()
    assert srt.value.suggested_filename == "beckett.srt"
    first = "1\n00:00:00,500 --> 00:00:03,250\nEver tried. Ever failed.\n"
    assert srt.value.path().read_text() == f"{first}\n2\n00:00:04,000 --> 00:00:05,000\nNo matter.\n"
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator("#said")).to_have_text("Transcript copied")
    assert page.evaluate("navigator.clipboard.readText()") == "Ever tried. Ever failed.\nNo matter.\n"
    page.get_by_role("button", name="Copy session id").click()
    expect(page.locator("#said")).to_have_text("Session id copied")
    assert page.evaluate("navigator.clipboard.readText()") == "s-0123456789abcdef"


def wav(samples: np.ndarray[tuple[int], np.dtype[np.int16]], rate: int) -> bytes:
    """Mono samples as a WAV file."""
    body = samples.tobytes()
    head = b"".join(
        [
            b"RIFF",
            (36 + len(body)).to_bytes(4, "little"),
            b"WAVEfmt \x10\0\0\0\1\0\1\0",
            rate.to_bytes(4, "little"),
            (2 * rate).to_bytes(4, "little"),
            b"\2\0\x10\0data",
            len(body).to_bytes(4, "little"),
        ]
    )
    return head + body
