"""The console goes on by itself when its connection is lost: what is said meanwhile is kept, and nothing is shown twice."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from browser.console_page import Console
from browser.stub_server import Peer, StubServer
from recordings import recording_path

pytestmark = pytest.mark.browser

properties = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

HANDSHAKE = r"WebSocket connection to .* failed"
TOKEN = "a-secret"  # noqa: S105 - of nothing

SPOKEN = """window.spoken = [];
window.AudioWorkletNode = class extends AudioWorkletNode {
  constructor(...given) {
    super(...given);
    this.port.addEventListener("message", ({ data }) => data && window.spoken.push(...new Uint8Array(data)));
  }
};"""
"""Keeps what the microphone gave."""


async def resumed(peer: Peer, received: int) -> dict[str, Any]:
    """Let a console go on from byte ``received``; what it asked for."""
    await peer.read_until("resume")
    await peer.send("resumed", session_id="s-0123456789abcdef", received=received, resume_grace=30.0)
    return peer.frames[0]


def test_sound_is_kept_while_the_connection_is_lost_and_sent_once(console: Console, stub: StubServer) -> None:
    """Three connections; the second and third are cut with what was not confirmed on its way."""
    taken: list[bytes] = []

    async def script(peer: Peer) -> None:
        number = len(stub.peers)
        if number == 1:
            await peer.ready(resume_token=TOKEN, resume_grace=30.0)
            await peer.hear(0.7)
            await peer.result(0, 0, "It was the best", end=0.5)
            await peer.send("ack", received=6400)
        else:
            assert await resumed(peer, sum(map(len, taken))) == {
                "type": "resume",
                "token": TOKEN,
                "sent": peer.frames[0]["sent"],
                "last_result": None if number == 2 else 0,
            }
            await peer.send("speech_started", segment_id=0, at=0.0)
            await peer.result(0, 0, "It was the best", end=0.5)
            await peer.result(0, 1, "It was the best of times", final=True, end=0.5)
            if number == 3:
                await peer.read_until("end")
                taken.append(bytes(peer.audio))
                await peer.result(1, 0, "it was the worst", final=True, start=1, end=2)
                await peer.done()
                return
            await peer.hear(0.7)
        taken.append(bytes(peer.audio[: len(peer.audio) - 3200]))  # the rest never got through
        peer.connection.transport.abort()

    console.page.add_init_script(SPOKEN)
    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#settled .segment p")).to_have_text(["It was the best of times"])
    expect(page.locator("#status")).to_have_text("Listening")
    while len(stub.peers) < 3:
        page.wait_for_timeout(20)
    expect(page.locator("#status")).to_have_text("Listening")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")
    expect(page.locator("#settled .segment p")).to_have_text(["It was the best of times", "it was the worst"])
    expect(page.get_by_role("alert")).to_be_hidden()
    heard = b"".join(taken)
    assert len(heard) > 40_000
    assert heard == bytes(page.evaluate("window.spoken"))


def test_a_long_absence_is_told_calmly_and_a_stop_meanwhile_still_gets_its_last_words(console: Console, stub: StubServer) -> None:
    over = stub.signal()

    async def script(peer: Peer) -> None:
        if len(stub.peers) == 1:
            await peer.ready(resume_token=TOKEN, resume_grace=30.0)
            await peer.hear(0.3)
            await peer.result(0, 0, "half a", end=0.3)
            peer.connection.transport.abort()
            return
        await over.wait()
        await resumed(peer, 0)
        await peer.read_until("end")
        await peer.result(0, 1, "half a sentence", final=True, end=1)
        await peer.done()

    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#status")).to_have_text("Reconnecting")
    calm = page.get_by_role("status").filter(has_text="Reconnecting to the server")
    expect(calm).to_contain_text("what you say is kept")
    expect(page.locator("#provisional .segment p")).to_have_text("half a")
    page.get_by_role("button", name="Stop").click()
    expect(calm).to_contain_text("Its last captions are still to come")
    over.set()
    expect(page.locator("#status")).to_have_text("Done")
    expect(calm).to_be_hidden()
    expect(page.locator("#settled .segment p")).to_have_text("half a sentence")


def test_a_network_that_falls_silent_is_left_for_another_connection(console: Console, stub: StubServer) -> None:
    """Nothing closes: what is sent is taken by nobody. The page's clock is moved on, so that nobody waits for it here."""
    silent = stub.signal()

    async def script(peer: Peer) -> None:
        if len(stub.peers) == 1:
            await peer.ready(resume_token=TOKEN, resume_grace=30.0)
            await peer.hear(0.3)
            await peer.result(0, 0, "half a", end=0.3)
            await silent.wait()
            return
        await resumed(peer, 0)
        await peer.result(0, 1, "half a sentence", final=True, end=1)
        await peer.read_until("end")
        await peer.done()

    console.page.clock.install()
    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#provisional .segment p")).to_have_text("half a")
    page.clock.run_for(9_000)
    assert len(stub.peers) == 1, "whoever is asked has a while to answer"
    while len(stub.peers) < 2:
        page.clock.run_for(1_000)
    expect(page.locator("#settled .segment p")).to_have_text("half a sentence")
    expect(page.locator("#status")).to_have_text("Listening")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_server_that_answers_is_left_alone_however_little_it_says(console: Console, stub: StubServer) -> None:
    """Every keepalive is answered by the script's peer; nothing else comes."""
    asked = 0

    async def script(peer: Peer) -> None:
        nonlocal asked
        await peer.ready(resume_token=TOKEN, resume_grace=30.0)
        while await peer.read() != "end":
            asked = peer.asked
        await peer.done()

    console.page.clock.install()
    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#status")).to_have_text("Listening")
    while asked < 5:
        before = asked
        page.clock.run_for(4_000)
        while asked == before:
            page.wait_for_timeout(20)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")
    assert len(stub.peers) == 1


def test_a_recording_waits_and_goes_on(console: Console, stub: StubServer) -> None:
    async def script(peer: Peer) -> None:
        if len(stub.peers) == 1:
            await peer.ready(resume_token=TOKEN, resume_grace=30.0)
            await peer.hear(2)
            peer.connection.transport.abort()
            return
        await resumed(peer, 32_000)
        await peer.read_until("end")
        await peer.result(0, 0, "all of it", final=True, end=9)
        await peer.done()

    stub.script = script
    page = console.open()
    page.locator("#file").set_input_files(recording_path("beckett"))
    expect(page.locator("#status")).to_have_text("Done")
    expect(page.locator("#settled .segment p")).to_have_text("all of it")
    original = recording_path("beckett").read_bytes()[44:]
    again = np.frombuffer(stub.peers[1].audio, np.int16)
    assert np.abs(again.astype(int) - np.frombuffer(original[32_000:], np.int16)[: len(again)]).max() <= 1
    assert 32_000 + 2 * len(again) == pytest.approx(len(original), abs=200), "what follows the sound is no sound"


@pytest.mark.parametrize(
    ("code", "retryable", "title", "goes_on"),
    [
        ("superseded", False, "The session went on somewhere else", False),
        ("not_resumable", False, "The session could not go on", True),
        ("results_lost", False, "The session could not go on", True),
        ("unauthenticated", False, "This server wants an API key", False),
    ],
)
def test_a_server_that_does_not_let_it_come_back(
    console: Console, stub: StubServer, code: str, title: str, *, retryable: bool, goes_on: bool
) -> None:
    async def script(peer: Peer) -> None:
        if len(stub.peers) == 1:
            await peer.ready(resume_token=TOKEN, resume_grace=30.0)
            await peer.hear(0.3)
            await peer.result(0, 0, "half a", end=0.3)
            peer.connection.transport.abort()
        elif len(stub.peers) == 2:
            await peer.read_until("resume")
            await peer.send("error", code=code, message="no such token", retryable=retryable)
            await peer.connection.close(1008)
        else:
            await peer.ready()
            await peer.read_until("end")
            await peer.done()

    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(title)
    expect(alert).to_contain_text("no such token")
    expect(page.locator("#settled [data-state=interrupted] p")).to_have_text("half a")
    if goes_on:
        expect(page.locator("#status")).to_have_text("Listening")
        assert len(stub.peers) == 3
    else:
        expect(page.locator("#status")).to_have_text("Stopped")
        expect(alert.get_by_role("button", name="Reconnect", exact=True)).to_be_enabled()
        assert len(stub.peers) == 2


CANCEL_AT_ONCE = """() => {
  const look = () => {
    const alert = document.querySelector("[role=alert]:not([hidden])");
    const cancel = [...(alert?.querySelectorAll("button") ?? [])].find((button) => button.textContent === "Cancel");
    if (document.body.dataset.refusal || !cancel) return;
    document.body.dataset.refusal = alert.textContent;
    cancel.click();
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
}"""
"""Within the page, since the button is there for a second only: then a new attempt is made, whose outcome needs no patience."""


def test_a_server_that_stays_away(console: Console, stub: StubServer) -> None:
    console.allow(HANDSHAKE)

    async def script(peer: Peer) -> None:
        await peer.ready(resume_token=TOKEN, resume_grace=10.0)
        await peer.hear(0.3)
        await peer.result(0, 0, "half a", end=2.3)
        stub.refuse = HTTPStatus.SERVICE_UNAVAILABLE
        peer.connection.transport.abort()

    stub.script = script
    page = console.open()
    page.evaluate(CANCEL_AT_ONCE)
    page.get_by_role("button", name="Listen").click()
    reconnecting = page.get_by_role("status").filter(has_text="Reconnecting to the server")
    expect(page.locator("body").filter(has=reconnecting).filter(has=page.locator("#listen", has_text="Stop"))).to_be_visible()
    expect(page.locator("body")).to_have_attribute("data-refusal", re.compile("connection"))
    said = page.locator("body").get_attribute("data-refusal") or ""
    assert "The connection broke" in said
    assert "What was said until 0:02 is kept." in said
    assert re.search(r"No connection could be made again within \d+ s\.", said)  # it says how long it was tried
    expect(page.locator("#settled [data-state=interrupted] p")).to_have_text("half a")
    expect(page.locator("#status")).to_have_text("Stopped")


def test_a_key_that_is_no_good_any_more_ends_it(console: Console, stub: StubServer) -> None:
    console.allow(HANDSHAKE)
    console.allow("401")

    async def script(peer: Peer) -> None:
        await peer.ready(resume_token=TOKEN, resume_grace=30.0)
        await peer.hear(0.3)
        stub.refuse = stub.readiness = HTTPStatus.UNAUTHORIZED
        stub.reason = '{"error":{"code":"unauthenticated","message":"that key was revoked","retryable":false}}'
        peer.connection.transport.abort()

    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("alert")).to_contain_text("that key was revoked")
    expect(page.get_by_label("API key")).to_be_focused()
    assert len(stub.peers) == 1


# --- the pure parts ---

steps = st.lists(
    st.one_of(
        st.tuples(st.just("audio"), st.integers(1, 9)),
        st.tuples(st.just("control"), st.sampled_from(["finalize", "configure"])),
        st.tuples(st.just("confirm"), st.integers(0, 60)),
    ),
    max_size=25,
)

KEEP = """async ([steps, received]) => {
  const { Outbox } = await import("/outbox.js");
  const outbox = new Outbox();
  for (const [what, value] of steps) {
    if (what === "audio") outbox.audio(Uint8Array.from({ length: value }, (_, i) => outbox.sent + i).buffer);
    else if (what === "control") outbox.control({ type: value });
    else outbox.confirm(Math.min(value, outbox.sent));
  }
  const frames = outbox.after(Math.min(received, outbox.sent));
  return [outbox.sent, frames?.map((frame) => (frame instanceof ArrayBuffer ? [...new Uint8Array(frame)] : frame.type)) ?? null];
}"""


@properties
@given(done=steps, wanted=st.integers(0, 60))
def test_what_is_sent_again_is_what_was_sent(modules: Page, done: list[tuple[str, Any]], wanted: int) -> None:
    sent, frames = modules.evaluate(KEEP, [done, wanted])
    received = min(wanted, sent)
    confirmed = 0
    position = 0
    controls: list[tuple[int, str]] = []
    for what, value in done:
        if what == "audio":
            position += value
        elif what == "control":
            controls = [one for one in controls if one != (position, value)] + [(position, value)]
        else:
            confirmed = max(confirmed, min(value, position))
    if received < confirmed:  # whole pieces are kept: it may know more than it has to
        return
    at, seen = received, []
    for frame in frames:
        if isinstance(frame, str):
            seen.append((at, frame))
        else:
            assert frame == list(range(at, at + len(frame)))
            at += len(frame)
    assert at == sent
    assert seen == [one for one in controls if one[0] >= received]


def test_what_is_kept_has_a_limit(modules: Page) -> None:
    full = modules.evaluate(
        """async () => {
          const { Outbox } = await import("/outbox.js");
          const outbox = new Outbox(10);
          const seen = [];
          for (const size of [6, 3, 1]) { outbox.audio(new ArrayBuffer(size)); seen.push(outbox.full); }
          outbox.confirm(9);
          return [...seen, outbox.full, outbox.after(8), outbox.after(11)];
        }"""
    )
    assert full == [False, False, True, False, None, None]


def test_nothing_is_told_twice(modules: Page) -> None:
    new = modules.evaluate(
        """async () => {
          const { Inbox } = await import("/inbox.js");
          const inbox = new Inbox();
          const result = (segment_id, version, is_final = false) => ({ type: "result", segment_id, version, is_final });
          const started = (segment_id) => ({ type: "speech_started", segment_id });
          const frames = [started(0), result(0, 0), started(0), result(0, 0), result(0, 1), { type: "error", code: "overloaded" },
            result(0, 2, true), started(0), result(0, 3), result(0, 2, true), started(1), { type: "error", segment_id: 1 },
            { type: "error", segment_id: 1 }, { type: "error", code: "overloaded" }, result(1, 0)];
          return [...frames.map((frame) => inbox.isNew(frame)), inbox.lastFinal];
        }"""
    )
    first = [True, True, False, False, True, True, True]
    assert new == [*first, False, False, False, True, True, False, True, True, 0]


WATCH = """async ([unconfirmed, answers, gone]) => {
  const { Vigil, LOOK_EVERY } = await import("/vigil.js");
  const vigil = new Vigil(0);
  let asked = 0, owed = null;
  for (let now = 0; now < 300; now += LOOK_EVERY) {
    if (owed !== null && now >= owed) { owed = null; vigil.heard(); }
    const verdict = vigil.look(now, unconfirmed);
    if (verdict === "give up") return [now, asked];
    if (verdict === "ask") { asked += 1; if (now < gone) owed = now + answers; }
  }
  return [null, asked];
}"""


@properties
@given(answers=st.floats(0, 6), gone=st.floats(0, 100), unconfirmed=st.floats(0, 5))
def test_silence_is_noticed_within_a_quarter_of_a_minute_and_a_slow_answer_is_one(
    modules: Page, answers: float, gone: float, unconfirmed: float
) -> None:
    noticed, _ = modules.evaluate(WATCH, [unconfirmed, answers, gone])
    assert noticed is not None
    assert noticed - gone <= 15 + answers
    noticed, asked = modules.evaluate(WATCH, [unconfirmed, answers, 1000])
    assert noticed is None
    assert 300 / (3 + answers + 1) - 1 <= asked <= 100


def test_a_server_that_works_on_a_recording_has_the_time_that_takes(modules: Page) -> None:
    assert modules.evaluate(WATCH, [60, 100, 1000])[0] is None
    assert modules.evaluate(WATCH, [60, 150, 1000])[0] is not None


def test_who_slept_does_not_blame_the_server(modules: Page) -> None:
    assert modules.evaluate(
        """async () => {
          const { Vigil } = await import("/vigil.js");
          const vigil = new Vigil(0);
          return [vigil.look(3600, 0), vigil.look(7200, 0), vigil.look(10800, 0), vigil.look(14400, 0)];
        }"""
    ) == [None, None, "ask", None]


def test_attempts_come_back_soon_then_less_often_by_a_random_share(modules: Page) -> None:
    shortest, longest = modules.evaluate(
        """async () => {
          const { waits } = await import("/reconnect.js");
          const first = (all) => Array.from({ length: 8 }, () => all.next().value);
          return [first(waits(() => 0)), first(waits(() => 1))];
        }"""
    )
    assert longest == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5])
    assert shortest == pytest.approx([wait / 2 for wait in longest])
