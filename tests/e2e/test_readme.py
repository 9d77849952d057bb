"""The README's examples run as they are printed."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
from pathlib import Path

import pytest
import uvloop

from recordings import recording_path
from starling.app import running
from starling.config.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

pytestmark = pytest.mark.model


@pytest.fixture(autouse=True)
def _talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "talk.wav").symlink_to(recording_path("beckett"))
    monkeypatch.chdir(tmp_path)


def printed_by(example: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - our own README
    return out.getvalue()


def test_the_library_example_prints_the_words() -> None:
    [library, _] = EXAMPLES
    assert "No matter." in printed_by(library)


def test_the_client_example_prints_captions() -> None:
    [_, client] = EXAMPLES

    async def main() -> str:
        settings = Settings.model_validate({"server": {"port": 0}, "log": {"level": "error"}})
        async with running(settings) as server:
            here = client.replace("ws://127.0.0.1:8000", server.stream_url)
            assert here != client
            return await asyncio.to_thread(printed_by, here)

    printed = uvloop.run(main())
    assert "No matter." in printed
    assert printed.rstrip().splitlines()[-1].startswith("Done(")


def test_every_link_leads_somewhere() -> None:
    root = Path(__file__).parents[2]
    pages = [
        root / "README.md",
        root / "ARCHITECTURE.md",
        root / "CONTRIBUTING.md",
        root / "SECURITY.md",
        *root.glob("docs/**/*.md"),
    ]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
