"""The whole of it: a browser's microphone plays real speech to a real server with the real model."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from browser.console_page import Console
from browser.wire import Wire
from patience import PATIENCE
from recordings import recording_path
from starling.client.sample import REFERENCE, WORD_ERROR_LIMIT
from starling.client.word_errors import word_error_rate

pytestmark = [pytest.mark.browser, pytest.mark.model]

SERVE = [sys.executable, "-m", "starling", "serve", "--port", "0", "--log-level", "error"]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """``starling serve`` as a user starts it; the address that it prints."""
    with subprocess.Popen(SERVE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        assert process.stdout is not None
        address = next((found[0] for line in process.stdout if (found := re.search(r"http://\S+", line))), None)
        assert address is not None, "the server ended before it said where it is"
        yield address
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(PATIENCE) == 0


@pytest.fixture
def live(context: BrowserContext, server: str) -> Iterator[Console]:
    console = Console(context.new_page(), server)
    yield console
    console.check()


def test_speech_into_the_microphone_comes_out_as_captions(live: Console) -> None:
    page = live.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#provisional")).to_contain_text("best of times", ignore_case=True)
    page.keyboard.press("f")
    expect(page.locator("#settled")).to_contain_text("best of times", ignore_case=True)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")
    expect(page.locator("#provisional .segment")).to_have_count(0)
    assert 0 < int(page.locator("#first-words").inner_text().removesuffix(" ms")) < 5000
    expect(page.locator("#model")).to_have_text(re.compile(r"\w"))


def test_a_recording_comes_out_as_text_and_subtitles(live: Console) -> None:
    page = live.open()
    page.locator("#file").set_input_files(recording_path("two_cities"))
    expect(page.locator("#status")).to_have_text("Done")
    with page.expect_download() as txt:
        page.get_by_role("button", name="Download as TXT").click()
    assert word_error_rate(REFERENCE, txt.value.path().read_text()) <= WORD_ERROR_LIMIT
    with page.expect_download() as srt:
        page.get_by_role("button", name="Download as SRT").click()
    subtitles = srt.value.path().read_text()
    numbers = [int(number) for number in re.findall(r"^(\d+)\n\d\d:\d\d:\d\d,\d{3} --> ", subtitles, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    words = re.sub(r"^(\d+|.*-->.*)$", "", subtitles, flags=re.MULTILINE)
    assert word_error_rate(txt.value.path().read_text(), words) == 0


def transcript(page: Page) -> str:
    expect(page.locator("#status")).to_have_text("Done")
    with page.expect_download() as txt:
        page.get_by_role("button", name="Download as TXT").click()
    return txt.value.path().read_text()


@pytest.mark.parametrize("cuts", [[200_000], [60_000, 140_000, 220_000, 280_000]], ids=["once", "four times"])
@pytest.mark.parametrize("along", [False, True], ids=["poured", "played along"])
def test_captions_are_the_same_if_the_wire_is_cut(context: BrowserContext, server: str, cuts: list[int], *, along: bool) -> None:
    undisturbed = Console(context.new_page(), server).open()
    undisturbed.locator("#file").set_input_files(recording_path("beckett"))
    wanted = transcript(undisturbed)
    with Wire(int(server.rpartition(":")[2].strip("/")), cuts) as wire:
        console = Console(context.new_page(), wire.url)
        page = console.open()
        if along:
            page.get_by_label("Play recordings along").check()
        page.locator("#file").set_input_files(recording_path("beckett"))
        assert transcript(page) == wanted
        assert wire.whole
        expect(page.get_by_role("alert")).to_be_hidden()
        page.close()
    console.check()


def test_speech_is_not_lost_with_the_connection(context: BrowserContext, server: str) -> None:
    """The wire is down for two seconds in the middle of a sentence."""
    with Wire(int(server.rpartition(":")[2].strip("/"))) as wire:
        console = Console(context.new_page(), wire.url)
        console.allow(r"WebSocket connection to .* failed")
        console.allow("ERR_")
        page = console.open()
        page.get_by_role("button", name="Listen").click()
        expect(page.locator("#provisional")).to_contain_text("best of times", ignore_case=True)
        wire.down = True
        wire.cut()
        expect(page.get_by_role("status").filter(has_text="Reconnecting to the server")).to_be_visible()
        wire.down = False
        expect(page.locator("#status")).to_have_text("Listening")
        expect(page.locator("#captions")).to_contain_text("age of wisdom", ignore_case=True)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#status")).to_have_text("Done")
        said = page.locator("#settled").inner_text().lower()
        before, wisdom, _ = said.partition("wisdom")  # the microphone begins again when it has played all
        assert wisdom, said
        assert before.count("best") == 1, said
        expect(page.locator("[data-state=interrupted]")).to_have_count(0)
        page.close()
    console.check()


def test_a_setting_that_the_server_refuses_is_explained(live: Console) -> None:
    page = live.open()
    page.get_by_label("Language").fill("tlh")
    page.get_by_label("Language").press("Tab")
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not take these settings")
    page.get_by_role("button", name="Use the server\u2019s language").click()
    expect(page.locator("#status")).to_have_text("Listening")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Done")
