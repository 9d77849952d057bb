"""Take the README's pictures anew: a browser whose microphone plays a recording, and a server of its own.

python -m bench.console_images docs/images
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from starling.client.sample import sample_recording

SERVE = [sys.executable, "-m", "starling", "serve", "--workers", "0", "--port", "0", "--log-level", "error"]

MICROPHONE = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")

SIZE = {"width": 1280, "height": 800}

RECORDINGS = ("endgame_nagg_nell.wav", "beckett.wav", "two_cities.wav")
SHOWN, LAST = "two_cities", "comparison only"
"""Recordings that the sample has beside it; the one that is read, and a word of its end."""

MOMENT = 30
"""Seconds after which the charts have something to show."""

SETTLED, LATEST = 4, r"(\w+\W+){5}\w"
"""The picture is taken once so many captions are settled, and the next one has six words."""


def take(browser: Browser, url: str, scheme: str, path: Path) -> None:
    """One picture, in the middle of a sentence."""
    context = browser.new_context(permissions=["microphone"], color_scheme=scheme, viewport=SIZE)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(url)
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#settled .segment")).to_have_count(SETTLED, timeout=120_000)
    expect(page.locator("#provisional .segment p")).to_contain_text(re.compile(LATEST), timeout=120_000)
    page.screenshot(path=path)
    context.close()


def take_dashboard(browser: Browser, url: str, path: Path) -> None:
    """The dashboard with recordings that are done, of which one is read."""
    page = browser.new_context(color_scheme="light", viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{url.rstrip('/')}/dashboard")
    for recording in RECORDINGS:
        page.set_input_files("#file", sample_recording().with_name(recording))
        expect(page.locator("#rows tr")).to_have_count(RECORDINGS.index(recording) + 1, timeout=120_000)
    expect(page.locator("#rows").get_by_text("Done")).to_have_count(len(RECORDINGS), timeout=120_000)
    page.wait_for_timeout(MOMENT * 1000)
    page.locator("#rows").get_by_text(SHOWN).first.click()
    expect(page.locator("#transcript")).to_contain_text(LAST, timeout=60_000)
    page.screenshot(path=path, animations="disabled")
    page.context.close()


def main() -> None:
    """The console, light and dark, and the dashboard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where console-light.png, console-dark.png and dashboard.png go")
    parser.add_argument("--only", choices=("console", "dashboard"), help="the pictures of that page")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as kept:
        _take_all(chosen.folder, chosen.only, kept)


def _take_all(folder: Path, only: str | None, kept: str) -> None:
    """``kept``: a folder for the server's jobs."""
    places = {"STORE": f"sqlite:{kept}/jobs.db", "RECORDINGS": f"{kept}/recordings", "LOG": "off", "IDLE_ONLY": "false"}
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    environment = os.environ | {f"STARLING_JOBS__{name}": value for name, value in places.items()}
    with subprocess.Popen(SERVE, stdout=subprocess.PIPE, text=True, env=environment) as server:  # noqa: S603 - our own command
        assert server.stdout is not None
        url = next(found[0] for line in server.stdout if (found := re.search(r"http://\S+", line)))
        with sync_playwright() as playwright:
            for scheme in () if only == "dashboard" else ("light", "dark"):  # each from the recording's beginning
                recording = f"--use-file-for-fake-audio-capture={sample_recording()}"
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox", "--disable-gpu", *MICROPHONE, recording]
                )
                take(browser, url, scheme, folder / f"console-{scheme}.png")
                browser.close()
            if only != "console":
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
                take_dashboard(browser, url, folder / "dashboard.png")
                browser.close()
        server.send_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
