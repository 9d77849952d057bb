"""The whole of it: recordings handed in by a browser to a real server with the real model, read, played and deleted there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from auth.test_keys import add
from browser.console_page import Console
from patience import PATIENCE
from recordings import recording_path
from starling.client.sample import REFERENCE, WORD_ERROR_LIMIT
from starling.client.word_errors import word_error_rate

pytestmark = [pytest.mark.browser, pytest.mark.model]

SERVE = [sys.executable, "-m", "starling", "serve", "--port", "0", "--log-level", "error"]

HOSTILE = "<img src=x onerror=alert(1)>.wav"


@contextmanager
def serving(place: Path, **variables: str) -> Iterator[str]:
    """``starling serve`` as a user starts it, with its recordings below ``place``; the address that it prints."""
    alone = {"STARLING_JOBS__WORKERS": "1", "STARLING_JOBS__IDLE_ONLY": "false", "STARLING_PROCESSES__WORKERS": "1"}
    environment = {**os.environ, "XDG_DATA_HOME": str(place), **alone, **variables}
    with subprocess.Popen(SERVE, stdout=subprocess.PIPE, text=True, env=environment) as process:  # noqa: S603 - our own command
        assert process.stdout is not None
        address = next((found[0] for line in process.stdout if (found := re.search(r"http://\S+", line))), None)
        assert address is not None, "the server ended before it said where it is"
        try:
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            assert process.wait(PATIENCE) == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A server that asks for keys, and keys of it: of an operator, and of two tenants."""
    place = tmp_path_factory.mktemp("locked")
    keys = place / "keys.json"
    tokens = {name: add(keys, tenant=name, operator=name == "boss")[0] for name in ("boss", "acme", "other")}
    with serving(place, STARLING_AUTH__MODE="keys", STARLING_AUTH__KEYS_FILE=str(keys)) as address:
        yield address, tokens


@pytest.fixture
def live(context: BrowserContext, server: str) -> Iterator[Console]:
    console = Console(context.new_page(), f"{server}dashboard")
    yield console
    console.check()


def upload(page: Page, name: str, called: str) -> None:
    sound = recording_path(name).read_bytes()
    page.locator("#file").set_input_files({"name": called, "mimeType": "audio/wav", "buffer": sound})


def row(page: Page, name: str) -> Any:
    return page.locator("#rows .job").filter(has=page.get_by_role("button", name=name, exact=True))


def seconds(page: Page) -> float:
    return float(page.evaluate("document.getElementById('audio').currentTime"))


def test_a_recording_is_handed_in_read_and_played(live: Console) -> None:
    page = live.open()
    upload(page, "two_cities", "two cities.wav")
    expect(row(page, "two cities.wav").locator(".state")).to_have_text("Done")
    row(page, "two cities.wav").click()
    words = page.locator(".word")
    expect(page.locator("#transcript")).to_contain_text("best of times", ignore_case=True)
    assert word_error_rate(REFERENCE, " ".join(words.all_inner_texts())) <= WORD_ERROR_LIMIT

    chosen = words.nth(20)
    start = float(chosen.get_attribute("data-start") or "nan")
    page.wait_for_function("() => document.getElementById('audio').readyState > 0")
    chosen.click()
    page.wait_for_function("(start) => Math.abs(document.getElementById('audio').currentTime - start) < 0.1", arg=start)
    expect(chosen).to_have_attribute("data-lit", "")
    page.keyboard.press("ArrowRight")
    expect(words.nth(21)).to_have_attribute("data-lit", "")
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.wait_for_function("(start) => document.getElementById('audio').currentTime > start + 1.5", arg=start)
    expect(words.nth(20)).not_to_have_attribute("data-lit", "")
    page.get_by_role("button", name="Pause").click()

    for form, wanted in (("TXT", "best of times"), ("SRT", " --> "), ("WebVTT", "WEBVTT"), ("JSON", '"segments"')):
        with page.expect_download() as saved:
            page.get_by_role("button", name=f"Download as {form}").click()
        assert wanted in saved.value.path().read_text()
        assert saved.value.suggested_filename == f"two cities.{form.lower().removeprefix('web')}"
    with page.expect_download() as saved:
        page.get_by_role("link", name="Download the recording").click()
    assert saved.value.path().read_bytes() == recording_path("two_cities").read_bytes()


def test_progress_is_seen_and_a_cancelled_job_is_done_again(live: Console) -> None:
    page = live.open()
    upload(page, "two_cities", "again.wav")
    cancel = page.get_by_role("button", name="Cancel again.wav")
    cancel.click()
    expect(row(page, "again.wav").locator(".state")).to_have_text("Cancelled")
    page.get_by_role("button", name="Retry again.wav").click()
    page.wait_for_function(
        """() => {
          const bar = [...document.querySelectorAll('#rows progress')].find((one) => !one.hidden);
          return bar?.value > 0 || [...document.querySelectorAll('#rows .state')].some((one) => one.textContent === 'Done');
        }""",
    )
    expect(row(page, "again.wav").locator(".state")).to_have_text("Done")


def test_a_recording_dropped_on_the_page_with_a_hostile_name_is_found_and_deleted(live: Console) -> None:
    page = live.open()
    expect(page.locator("#recordings")).to_be_visible()
    page.evaluate(
        """([name, bytes]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "audio/wav" }));
          document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        [HOSTILE, list(recording_path("success").read_bytes())],
    )
    expect(row(page, HOSTILE).locator(".state")).to_have_text("Done")
    page.get_by_role("searchbox", name="Search by name").fill("<img")
    expect(page.locator("#rows .job")).to_have_count(1)
    page.get_by_role("button", name=f"Delete {HOSTILE}").click()
    expect(page.locator("#confirm-text")).to_contain_text(HOSTILE)
    page.locator("#confirm-yes").click()
    expect(page.get_by_text("has “<img” in its name")).to_be_visible()
    page.reload()
    expect(page.locator("#filter [data-status='']")).to_be_visible()
    expect(row(page, HOSTILE)).to_have_count(0)
    assert page.locator("main img").count() == 0


def test_what_is_no_recording_is_refused_in_words(live: Console) -> None:
    live.allow("Failed to load resource")
    page = live.open()
    expect(page.locator("#recordings")).to_be_visible()
    page.locator("#file").set_input_files({"name": "letter.wav", "mimeType": "audio/wav", "buffer": b"Dear Sir or Madam, " * 50})
    failed = page.locator(".upload[data-failed]")
    expect(failed).to_contain_text("This is no recording that can be read")
    failed.get_by_role("button", name="Dismiss").click()
    expect(failed).to_have_count(0)
    page.locator("#file").set_input_files({"name": "empty.wav", "mimeType": "audio/wav", "buffer": b""})
    expect(page.locator(".upload[data-failed]")).to_contain_text("This file is empty")


def test_figures_are_those_of_the_server_and_move(live: Console) -> None:
    page = live.open()
    cpu = page.get_by_role("img", name=re.compile("^CPU"))
    expect(cpu).to_have_accessible_name(re.compile(r"cores: [\d.]+ last"))
    line = page.locator(".chart").first.locator(".line-0")
    before = line.get_attribute("d")
    page.wait_for_function("(before) => document.querySelector('.chart .line-0').getAttribute('d') !== before", arg=before)
    memory = page.locator(".chart").nth(1).locator("dd").inner_text()
    assert re.fullmatch(r"[\d.]+ [MG]B", memory)
    workers = int(page.locator(".chart").nth(6).locator("dd").first.inner_text())
    assert workers >= 1
    page.get_by_text("Processes and errors").click()
    expect(page.get_by_role("rowheader", name="gateway")).to_be_visible()


def test_a_key_is_asked_for_and_each_sees_its_own(context: BrowserContext, locked: tuple[str, dict[str, str]]) -> None:
    address, tokens = locked
    console = Console(context.new_page(), f"{address}dashboard")
    console.allow("Failed to load resource")
    page = console.open()

    def enter(token: str) -> None:
        page.get_by_role("textbox", name="API key").fill(token)
        page.get_by_role("button", name="Go on").click()

    expect(page.get_by_role("heading", name="This server asks for an API key")).to_be_visible()
    expect(page.locator("#recordings")).to_be_hidden()
    enter("wrong")
    expect(page.locator("#key-why")).not_to_be_empty()
    enter(tokens["acme"])
    expect(page.locator("#status")).to_have_text("acme")
    expect(page.locator("#figures")).to_be_hidden()
    upload(page, "beckett", "mine.wav")
    expect(row(page, "mine.wav").locator(".state")).to_have_text("Done")
    row(page, "mine.wav").click()
    expect(page.locator(".word").first).to_be_visible()
    page.wait_for_function("() => document.getElementById('audio').readyState > 0")  # without the key in its address
    sources = page.evaluate("document.getElementById('audio').currentSrc")
    assert sources.startswith("http")
    assert tokens["acme"] not in sources
    cookies = context.cookies(sources)
    assert [(one["httpOnly"], one["sameSite"]) for one in cookies] == [(True, "Strict")]
    assert tokens["acme"] not in json.dumps(cookies)
    page.keyboard.press("Escape")

    page.get_by_role("button", name="API key").click()
    enter(tokens["other"])
    expect(page.locator("#status")).to_have_text("other")
    expect(page.get_by_role("heading", name="No recordings yet")).to_be_visible()
    page.get_by_role("button", name="API key").click()
    enter(tokens["boss"])
    expect(page.locator("#status")).to_have_text("Operator")
    expect(page.locator("#figures")).to_be_visible()
    expect(row(page, "mine.wav").locator(".tenant")).to_have_text("acme")
    console.check()
