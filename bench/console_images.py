"""Take the README's pictures of the console anew: a browser whose microphone plays a recording, and a server of its own.

python -m bench.console_images docs/images
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from starling.client.sample import sample_recording

SERVE = [sys.executable, "-m", "starling", "serve", "--workers", "0", "--port", "0", "--log-level", "error"]

MICROPHONE = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")

SIZE = {"width": 1280, "height": 800}

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


def main() -> None:
    """Both, light and dark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where console-light.png and console-dark.png go")
    folder = parser.parse_args().folder
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with subprocess.Popen(SERVE, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 - our own command
        assert server.stdout is not None
        url = next(found[0] for line in server.stdout if (found := re.search(r"http://\S+", line)))
        with sync_playwright() as playwright:
            for scheme in ("light", "dark"):  # each from the recording's beginning
                recording = f"--use-file-for-fake-audio-capture={sample_recording()}"
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox", "--disable-gpu", *MICROPHONE, recording]
                )
                take(browser, url, scheme, folder / f"console-{scheme}.png")
                browser.close()
        server.send_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
