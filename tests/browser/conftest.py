"""A Chromium with a fake microphone that plays real speech, a scripted server, and a page that may not complain."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from browser.console_page import Console
from browser.stub_server import StubServer
from patience import PATIENCE
from recordings import recording_path

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)

expect.set_options(timeout=1000 * PATIENCE)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """For one module at a time: Playwright keeps an event loop running, which the tests of others must not find."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("the console's tests need Chromium: `make browser` installs it")
    capture = f"--use-file-for-fake-audio-capture={recording_path('two_cities')}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, capture], timeout=1000 * PATIENCE)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def stub_process() -> Iterator[StubServer]:
    with StubServer() as server:
        yield server


@pytest.fixture
def stub(stub_process: StubServer) -> StubServer:
    stub_process.reset()
    return stub_process


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(permissions=["microphone", "clipboard-read", "clipboard-write"], color_scheme="light")
    yield context
    context.close()


@pytest.fixture
def console(context: BrowserContext, stub: StubServer) -> Iterator[Console]:
    console = Console(context.new_page(), stub.url)
    yield console
    console.check()


@pytest.fixture(scope="module")
def modules(chromium: Browser, stub_process: StubServer) -> Iterator[Page]:
    """A page of the server that runs nothing itself: ``evaluate`` imports what a test is about."""
    page = chromium.new_page()
    page.goto(f"{stub_process.url}starling.svg")
    yield page
    page.close()
