"""What goes wrong is said in words, nothing shown is lost, and there is a way on."""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest
from playwright.sync_api import expect

from browser.console_page import Console
from browser.stub_server import Peer, StubServer
from recordings import recording_path

pytestmark = pytest.mark.browser

HANDSHAKE = r"WebSocket connection to .* failed"
UNAVAILABLE = r"503 \(Service Unavailable\)"


async def agree(peer: Peer) -> None:
    """Take all, say nothing, end well."""
    await peer.ready()
    await peer.read_until("end")
    await peer.done()


@pytest.mark.parametrize(
    ("readiness", "title"),
    [(HTTPStatus.OK, "The server refused the session"), (HTTPStatus.SERVICE_UNAVAILABLE, "The server is not ready")],
)
def test_a_refused_upgrade(console: Console, stub: StubServer, readiness: HTTPStatus, title: str) -> None:
    console.allow(HANDSHAKE)
    console.allow(UNAVAILABLE)
    stub.refuse = HTTPStatus.SERVICE_UNAVAILABLE
    stub.readiness = readiness
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(title)
    expect(page.locator("#status")).to_have_text("Not started")
    stub.refuse = None
    stub.readiness = HTTPStatus.OK
    stub.script = agree
    alert.get_by_role("button", name="Reconnect").click()
    expect(page.locator("#status")).to_have_text("Listening")
    expect(alert).to_be_hidden()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")


def test_a_server_that_wants_a_key_and_gets_it(console: Console, stub: StubServer) -> None:
    console.allow("401")
    stub.readiness = HTTPStatus.UNAUTHORIZED
    stub.reason = json.dumps({"error": {"code": "unauthenticated", "message": "expected an API key", "retryable": False}})
    stub.script = agree
    page = console.open()
    expect(page.get_by_label("API key")).to_be_hidden()
    page.get_by_role("button", name="Listen").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("This server wants an API key")
    field = page.get_by_label("API key")
    expect(field).to_be_focused()
    field.fill(" stl_key ")
    field.press("Tab")
    stub.readiness = HTTPStatus.OK
    alert.get_by_role("button", name="Reconnect").click()
    expect(page.locator("#status")).to_have_text("Listening")
    assert stub.shown == [None, "Bearer stl_key"]
    assert stub.peers[0].connection.request is not None
    assert stub.peers[0].connection.request.headers["Sec-WebSocket-Protocol"] == "starling, key.stl_key"
    assert "stl_key" not in page.url
    assert page.evaluate("JSON.stringify(localStorage)").count("stl_key") == 0
    page.reload()
    expect(page.get_by_label("API key")).to_have_value("stl_key")


def test_a_server_that_says_why_it_takes_no_session(console: Console, stub: StubServer) -> None:
    console.allow("429")
    stub.readiness = HTTPStatus.TOO_MANY_REQUESTS
    stub.reason = json.dumps({"error": {"code": "quota_exceeded", "message": "the day is used up", "retryable": True}})
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("What this API key may use is used up")
    expect(alert).to_contain_text("The server says: the day is used up")
    assert stub.peers == []


def test_a_server_that_is_gone(console: Console, stub: StubServer) -> None:
    """The page was loaded while the server was up: the microphone is neither blamed nor asked for."""
    console.allow("ERR_FAILED")
    console.page.add_init_script("navigator.mediaDevices.getUserMedia = async () => { throw new Error('asked'); }")
    page = console.open()
    page.route("**/v1/admission", lambda route: route.abort())
    page.get_by_role("button", name="Listen").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The server does not answer")
    expect(alert).to_contain_text("Start it with \u201cstarling serve\u201d")
    expect(page.locator("#status")).to_have_text("Not started")
    assert stub.peers == []


def test_a_server_that_goes_while_the_microphone_opens(console: Console, stub: StubServer) -> None:
    console.allow("404")
    stub.script = agree
    page = console.open()
    stub.missing = "/capture-worklet.js"
    page.get_by_role("button", name="Listen").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The server does not answer")
    stub.missing = None
    alert.get_by_role("button", name="Reconnect").click()
    expect(page.locator("#status")).to_have_text("Listening")


def test_a_language_that_the_server_lacks(console: Console, stub: StubServer) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_until("start")
        if "language" in peer.frames[0]:
            await peer.send("error", code="invalid_option", message="language must be one of en, got 'tlh'", retryable=False)
            await peer.connection.close(1008)
            return
        await peer.ready()
        await peer.read_until("end")
        await peer.done()

    stub.script = script
    page = console.open()
    language = page.get_by_label("Language")
    language.fill("tlh")
    language.press("Tab")
    page.get_by_role("button", name="Listen").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("language must be one of en")
    expect(alert.get_by_role("button", name="Reconnect")).to_have_count(0)
    language.fill("no tag")  # what is wrong now must not stand for what was wrong before
    language.press("Tab")
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#status")).to_have_text("Listening")
    page.get_by_role("button", name="Stop").click()
    language.fill("tlh")
    language.press("Tab")
    page.get_by_role("button", name="Listen").click()
    alert.get_by_role("button", name="Use the server\u2019s language").click()
    expect(page.locator("#status")).to_have_text("Listening")
    expect(language).to_have_value("")


def test_a_server_that_restarts(console: Console, stub: StubServer) -> None:
    """It says that it stops: nothing more is recorded, one thing is said, and the page comes back by itself."""
    console.allow(HANDSHAKE)
    console.allow(UNAVAILABLE)
    over = stub.signal()

    async def script(peer: Peer) -> None:
        await peer.ready()
        if len(stub.peers) > 1:
            await peer.read_until("end")
            await peer.done()
            return
        await peer.hear(0.5)
        await peer.result(0, 0, "it was", end=8.4)
        await peer.send("error", code="shutting_down", message="come back", retryable=True)
        await peer.read_until("end")  # the microphone is off long before the server hangs up
        await over.wait()
        await peer.result(0, 1, "it was the best", final=True, end=8.4)
        await peer.connection.close(1012)

    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The server is stopping")
    expect(alert).to_contain_text("What was said until 0:08 is kept. Listen again when it is back.")
    expect(page.locator("#status")).to_have_text("Finishing the last words")
    stub.readiness = HTTPStatus.SERVICE_UNAVAILABLE
    over.set()
    expect(alert.get_by_role("button", name="Reconnecting in 1 s")).to_be_visible()
    expect(page.locator("#settled .segment p")).to_have_text("it was the best")
    expect(alert.get_by_role("button", name="Reconnecting in 2 s")).to_be_visible()
    expect(page.locator("#status")).to_have_text("Reconnecting")
    stub.readiness = HTTPStatus.OK
    expect(page.locator("#status")).to_have_text("Listening")
    expect(alert).to_be_hidden()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")
    assert len(stub.peers) == 2


def test_reconnecting_can_be_cancelled(console: Console, stub: StubServer) -> None:
    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.hear(0.5)
        peer.connection.transport.abort()

    stub.script = script
    page = console.open()
    page.clock.install()
    page.get_by_role("button", name="Listen").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The connection broke")
    alert.get_by_role("button", name="Cancel").click()
    expect(alert).to_be_hidden()
    expect(page.locator("#status")).to_have_text("Stopped")
    page.clock.run_for(60_000)
    assert len(stub.peers) == 1


def test_overload_says_when_to_come_back(console: Console, stub: StubServer) -> None:
    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.send("error", code="overloaded", message="40 sessions of 40", retryable=True, retry_after=1.2)
        await peer.connection.close(1013)

    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The server is full")
    expect(alert).to_contain_text("40 sessions of 40")
    expect(alert.get_by_role("button", name="Reconnect in 2 s")).to_be_disabled()
    expect(alert.get_by_role("button", name="Reconnect", exact=True)).to_be_enabled()


@pytest.mark.parametrize(
    ("code", "title"),
    [(1011, "The server made a mistake"), (4321, "The session ended early")],
)
def test_a_close_without_a_word(console: Console, stub: StubServer, code: int, title: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.result(0, 0, "half a", end=1)
        await peer.connection.close(code)

    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("alert")).to_contain_text(title)
    expect(page.locator("#settled [data-state=interrupted] p")).to_have_text("half a")
    expect(page.get_by_role("button", name="Listen")).to_be_visible()


@pytest.mark.parametrize("frame", ["{", "[]", '{"kind": "ready"}', b"\0\1"])
def test_what_is_not_the_protocol(console: Console, stub: StubServer, frame: str | bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.connection.send(frame)
        await peer.connection.wait_closed()

    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not a Starling server")


def test_messages_of_a_newer_server_are_passed_over(console: Console, stub: StubServer) -> None:
    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.send("weather", sky="blue")
        await peer.result(0, 0, "go on", final=True)
        await peer.read_until("end")
        await peer.done()

    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#settled .segment p")).to_have_text("go on")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")


def test_one_segment_without_text_does_not_end_the_session(console: Console, stub: StubServer) -> None:
    async def script(peer: Peer) -> None:
        await peer.ready()
        await peer.send("error", code="engine_failed", message="the engine raised", retryable=True, segment_id=0)
        await peer.result(0, 0, "", final=True)
        await peer.result(1, 0, "the next one", final=True)
        await peer.read_until("end")
        await peer.done()

    stub.script = script
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("alert")).to_contain_text("One sentence has no text")
    expect(page.locator("#settled .segment p")).to_have_text("the next one")
    expect(page.locator("#status")).to_have_text("Listening")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")


def test_a_recording_goes_on_after_its_last_settled_word(console: Console, stub: StubServer) -> None:
    async def script(peer: Peer) -> None:
        await peer.ready()
        if len(stub.peers) == 1:
            await peer.hear(6)
            await peer.result(0, 0, "first half", final=True, start=0.5, end=4.0)
            await peer.result(1, 0, "cut", start=4.5, end=5)
            await peer.connection.close(1011)
            return
        await peer.read_until("end")
        await peer.result(0, 0, "second half", final=True, start=0.5, end=5.0)
        await peer.done()

    stub.script = script
    page = console.open()
    page.locator("#file").set_input_files(recording_path("beckett"))
    expect(page.locator("#settled .segment p")).to_have_text(["first half", "cut"])
    page.get_by_role("button", name="Reconnect").click()
    expect(page.locator("#status")).to_have_text("Done")
    expect(page.locator("#settled .segment")).to_have_text(["0:00first half", "0:04second half"])
    assert len(stub.peers[1].audio) / 32_000 == pytest.approx(9.963 - 4.0, abs=0.01)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("NotAllowedError", "The microphone is blocked"),
        ("NotFoundError", "No microphone found"),
        ("NotReadableError", "The microphone is busy"),
        ("AbortError", "The microphone did not start"),
    ],
)
def test_no_microphone(console: Console, stub: StubServer, name: str, title: str) -> None:
    console.page.add_init_script(f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{name}'); }}")
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(title)
    expect(alert.get_by_role("button", name="Try again")).to_be_visible()
    expect(page.locator("#status")).to_have_text("Not started")
    expect(page.get_by_role("heading", name="Speak, and read along.")).to_be_visible()
    assert stub.peers == []


def test_a_page_that_is_not_secure(console: Console) -> None:
    console.page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("alert")).to_contain_text("The microphone needs a secure page")


def test_stopping_while_the_browser_still_asks(console: Console, stub: StubServer) -> None:
    console.page.add_init_script(
        """const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wanted) => {
          await new Promise((resolve) => { window.allow = resolve; });
          return (window.stream = await ask(wanted));
        };"""
    )
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#status")).to_have_text("Waiting for the microphone")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")
    page.evaluate("window.allow()")
    page.evaluate(
        """async () => {
          const released = () => window.stream?.getTracks().every((track) => track.readyState === "ended");
          while (!released()) await new Promise(requestAnimationFrame);
        }"""
    )
    assert stub.peers == []


def test_a_microphone_that_is_mute_or_goes_away(console: Console, stub: StubServer) -> None:
    console.page.add_init_script(
        """navigator.mediaDevices.getUserMedia = async () => {
          const context = new AudioContext();
          const out = context.createMediaStreamDestination();
          new ConstantSourceNode(context, { offset: 0 }).connect(out);
          [window.track] = out.stream.getAudioTracks();
          return out.stream;
        };"""
    )
    stub.script = agree
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("alert")).to_contain_text("The microphone gives no sound")
    expect(page.locator("#status")).to_have_text("Listening")
    page.evaluate("window.track.dispatchEvent(new Event('ended'))")
    expect(page.get_by_role("alert")).to_contain_text("The microphone went away")
    expect(page.locator("#status")).to_have_text("Done")
