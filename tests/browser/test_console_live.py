"""The microphone's way through the console: what is sent, what is shown, what is said to whom."""

from __future__ import annotations

import json

import numpy as np
import pytest
from playwright.sync_api import expect

from browser.console_page import Console
from browser.stub_server import Peer, StubServer

pytestmark = pytest.mark.browser


def test_a_sentence_is_wet_then_dry(console: Console, stub: StubServer) -> None:
    step = stub.signal()
    over = stub.signal()

    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.hear(0.2)
        await peer.send("speech_started", at=0.0)
        await peer.result(0, 0, "It was the vest", stable="It was", end=0.2)
        await step.wait()
        await peer.send("speech_ended", at=0.2)
        await peer.result(0, 1, "It was the best of times.", final=True, end=0.2)
        await peer.result(0, 2, "an echo from the past", end=0.2)
        await peer.read_until("end")
        await over.wait()
        await peer.done()

    stub.script = script
    page = console.open()
    expect(page.get_by_role("status").first).to_have_text("Ready")
    page.get_by_role("button", name="Listen").click()
    wet = page.locator("#provisional .segment")
    expect(wet.locator(".stable")).to_have_text("It was")
    expect(wet.locator(".tail")).to_have_text(" the vest")
    expect(page.locator("#status")).to_have_text("Listening")
    assert page.title() == "Listening \u2013 Starling"

    step.set()
    dry = page.locator("#settled .segment")
    expect(dry).to_have_text("0:00It was the best of times.")
    expect(wet).to_have_count(0)
    expect(dry).to_have_attribute("data-state", "final")

    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Finishing the last words")
    over.set()
    expect(page.locator("#status")).to_have_text("Done")
    expect(dry).to_have_text("0:00It was the best of times.")
    assert page.locator("#first-words").inner_text().endswith(" ms")
    assert page.locator("#final").inner_text().endswith(" ms")
    assert "of it pause" in page.locator("#final-note").inner_text()
    expect(page.locator("#model")).to_have_text("scripted-en")
    expect(page.locator("#words-note")).to_have_text("in one caption")


def test_what_is_sent_is_what_was_said(console: Console, stub: StubServer) -> None:
    """The microphone plays speech: 16-bit samples at 16 kHz, in chunks of 100 ms, neither silent nor clipped."""

    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.hear(1.5)
        await peer.result(0, 0, "heard", end=1)
        await peer.read_until("end")
        await peer.done()

    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#provisional .segment")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")
    peer = stub.peers[0]
    start = {
        "type": "start",
        "audio": {"encoding": "pcm_s16le", "sample_rate": 16000, "channels": 1},
        "client_ref": "console",
        "resume": True,
    }
    assert peer.frames == [start, {"type": "end"}]
    samples = np.frombuffer(peer.audio, np.int16)
    assert 500 < np.abs(samples).max() < 32767
    assert len(np.unique(samples)) > 500


def test_flicker_ends_in_nothing_and_leaves_nothing(console: Console, stub: StubServer) -> None:
    over = stub.signal()

    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.result(0, 0, "cough", end=0.5)
        await peer.result(0, 1, "", end=0.5)
        await peer.result(0, 2, "coffee", stable="cof", end=0.6)
        await peer.result(1, 0, "and on", start=1, end=1.5)
        await over.wait()
        await peer.result(1, 1, "and on it goes", final=True, start=1, end=1.5)
        await peer.result(0, 3, "", final=True, end=0.6)
        await peer.read_until("end")
        await peer.done()

    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#provisional .segment p")).to_have_text(["coffee", "and on"])
    over.set()
    expect(page.locator("#settled .segment p")).to_have_text(["and on it goes"])
    expect(page.locator("#provisional .segment")).to_have_count(0)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")


def test_finals_keep_the_order_of_speech(console: Console, stub: StubServer) -> None:
    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.result(1, 0, "second", final=True, start=2, end=3)
        await peer.result(0, 0, "first", final=True, start=0, end=1)
        await peer.read_until("end")
        await peer.done()

    stub.script = script
    page = console.open()
    page.keyboard.press("Space")
    expect(page.locator("#settled .segment p")).to_have_text(["first", "second"])
    page.keyboard.press("Space")
    expect(page.locator("#status")).to_have_text("Done")


def test_options_and_the_forced_end_reach_the_server(console: Console, stub: StubServer) -> None:
    over = stub.signal()

    async def script(peer: Peer) -> None:
        await peer.ready(partial_interval_ms=450, language="de")
        await peer.read_until("finalize")
        await peer.read_until("configure")
        over.set()
        await peer.read_until("end")
        await peer.done()

    stub.script = script
    page = console.open()
    page.get_by_label("A pause ends a sentence after").fill("800")
    page.get_by_label("One that looks finished, after").fill("1000")
    expect(page.get_by_text("the same", exact=True)).to_be_visible()
    page.get_by_label("One that looks finished, after").fill("250")
    page.get_by_label("Speech detector").select_option("silero")
    page.get_by_label("Search for finals").select_option("best")
    page.get_by_label("Expected words").fill("Starling\n\n Ada Lovelace \n")
    page.get_by_label("Expected words").press("Tab")
    chosen = {
        "endpoint_silence_ms": 800,
        "finished_silence_ms": 250,
        "vad": "silero",
        "quality": "best",
        "hotwords": ["Starling", "Ada Lovelace"],
    }
    assert json.loads(page.evaluate("localStorage['starling.settings']")) == chosen
    page.reload()
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("button", name="End the sentence now")).to_be_enabled()
    expect(page.get_by_text("450 ms")).to_be_visible()
    expect(page.get_by_label("Language")).to_have_attribute("placeholder", "de")
    page.keyboard.press("f")
    page.get_by_label("Language").fill("no language")
    page.get_by_label("Language").press("Tab")
    expect(page.get_by_label("Language")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("That is no language tag")).to_be_visible()
    page.get_by_label("Language").fill("pt-BR")
    page.get_by_label("Language").press("Tab")
    expect(page.get_by_text("From the next sentence on.")).to_be_visible()
    page.get_by_label("Expected words").fill("?")
    page.get_by_label("Expected words").press("Tab")
    expect(page.get_by_text("a line without a letter")).to_be_visible()
    page.get_by_label("Expected words").fill("")
    page.get_by_label("Expected words").press("Tab")
    expect(page.get_by_label("Expected words")).to_have_attribute("aria-invalid", "false")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")
    start, *rest = stub.peers[0].frames
    assert {name: start[name] for name in chosen} == chosen
    assert "partial_interval_ms" not in start
    assert rest == [
        {"type": "finalize"},
        {"type": "configure", "language": "pt-BR"},
        {"type": "configure", "hotwords": []},
        {"type": "end"},
    ]
    page.get_by_role("button", name="Reset").click()
    assert page.evaluate("localStorage['starling.settings']") == "{}"


def test_a_second_stop_does_not_wait_for_a_slow_server(console: Console, stub: StubServer) -> None:
    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.result(0, 0, "so far", end=1)
        await peer.connection.wait_closed()

    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#provisional .segment")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Stop now").click()
    expect(page.locator("#status")).to_have_text("Done")
    expect(page.locator("#settled [data-state=interrupted] p")).to_have_text("so far")


def test_a_second_take_gets_its_own_heading(console: Console, stub: StubServer) -> None:
    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.result(0, 0, f"take {len(stub.peers)}", final=True, end=1)
        await peer.read_until("end")
        await peer.done()

    stub.script = script
    page = console.open()
    for number in (1, 2):
        page.get_by_role("button", name="Listen").click()
        expect(page.locator("#settled .segment")).to_have_count(number)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#status")).to_have_text("Done")
    expect(page.locator("#settled li")).to_have_count(3)
    expect(page.locator("#settled h2")).to_contain_text("Microphone, ")
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("heading", name="Speak, and read along.")).to_be_visible()
    expect(page.locator("#settled li")).to_have_count(0)


def test_the_view_follows_until_the_reader_scrolls_up(console: Console, stub: StubServer) -> None:
    step = stub.signal()

    async def script(peer: Peer) -> None:
        await peer.ready()
        for i in range(60):
            await peer.result(i, 0, f"sentence {i}", final=True, start=i, end=i + 0.9)
        await step.wait()
        for i in range(60, 63):
            await peer.result(i, 0, f"sentence {i}", final=True, start=i, end=i + 0.9)
        await peer.read_until("end")
        await peer.done()

    stub.script = script
    console.page.emulate_media(reduced_motion="reduce")
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_text("sentence 59")).to_be_in_viewport()
    jump = page.get_by_role("button", name="Jump to latest")
    expect(jump).to_be_hidden()
    page.mouse.move(400, 300)
    page.mouse.wheel(0, -1500)
    expect(jump).to_be_visible()
    step.set()
    expect(jump).to_have_text("Jump to latest (3 new)")
    expect(page.get_by_text("sentence 62")).not_to_be_in_viewport()
    jump.click()
    expect(page.get_by_text("sentence 62")).to_be_in_viewport()
    expect(jump).to_be_hidden()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")
