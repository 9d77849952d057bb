"""The API's page, in a real browser, under the server's own content security policy."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop
from playwright.sync_api import Browser, expect

from gateway.recordings.desk_harness import desked
from patience import PATIENCE

pytestmark = pytest.mark.browser


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A gateway on a thread of its own."""
    found: list[str] = []
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with desked(tmp_path) as it:
            found.append(it.served.authority)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield f"http://{found[0]}"
    finally:
        over.set()
        thread.join(PATIENCE)


def test_the_page_shows_every_operation_and_asks(chromium: Browser, address: str) -> None:
    page = chromium.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        page.goto(f"{address}/docs")
        submit = page.locator("details", has_text="/api/v1/asr/submit").first
        expect(submit).to_be_visible()
        assert page.locator("details").count() > 10
        submit.locator("summary").click()
        expect(submit).to_contain_text("multipart/form-data")
        expect(submit).to_contain_text("hotwords")
        queue = page.locator("details", has_text="/api/v1/asr/queue/status").first
        queue.locator("summary").click()
        queue.get_by_role("button", name="Ask").click()
        expect(queue.locator("form pre")).to_contain_text('"queued": 0')
        spoken = page.locator("details", has_text="/v1/audio/transcriptions").first
        spoken.locator("summary").click()
        expect(spoken).to_contain_text("one of")
        page.set_viewport_size({"width": 390, "height": 844})
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert complaints == []
    finally:
        page.close()
