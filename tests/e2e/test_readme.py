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
from starling.client.sample import sample_recording
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
    printed = printed_by(library)
    assert "No matter." in printed
    starts = [float(start) for start in re.findall(r"^([\d.]+) s: ", printed, re.MULTILINE)]
    assert starts == sorted(starts)
    assert 0 <= starts[0] < starts[-1] < 10, "seconds, of a recording of ten"


def test_the_client_example_prints_captions_that_grow() -> None:
    [_, client] = EXAMPLES

    async def main() -> str:
        settings = Settings.model_validate({"server": {"port": 0}, "log": {"level": "error"}, "jobs": {"workers": 0}})
        async with running(settings) as server:
            here = client.replace("ws://127.0.0.1:8000", server.stream_url)
            assert here != client
            quicker = here.replace("len(block) / 16_000", "len(block) / 80_000")
            assert quicker != here
            return await asyncio.to_thread(printed_by, quicker)

    printed = uvloop.run(main())
    rows = [row.split("\r\x1b[K")[1:] for row in printed.removesuffix("\n").split("\n")]
    assert any("No matter." in shown[-1] for shown in rows)
    assert any(len(shown) > 1 for shown in rows), "partials are replaced in their row"


def test_the_sample_lies_where_the_readme_says() -> None:
    [place] = re.findall(r"cp \.venv/lib/python3\*/site-packages/(\S+) talk\.wav", README)
    assert sample_recording().as_posix().endswith(f"/{place}")


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
