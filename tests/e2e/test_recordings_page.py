"""The examples of docs/recordings.md run as they are printed, against a server whose transcriber is a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvloop

from patience import PATIENCE
from recordings import recording_path
from starling.app import running
from starling.config.settings import Settings
from starling.gateway.recordings.signature import signature

PAGE = (Path(__file__).parents[2] / "docs" / "recordings.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SHELL = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)[0].splitlines()
HERE = "http://127.0.0.1:8000"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def printed_by(example: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(example, "recordings.md", "exec"), {})  # noqa: S102 - our own page
    return out.getvalue()


def shell(line: str) -> str:
    return subprocess.run(shlex.split(line), check=True, capture_output=True, text=True, timeout=PATIENCE).stdout  # noqa: S603 - our own


def examples(url: str) -> None:
    native, openai, _ = (example.replace(HERE, url) for example in PYTHON)
    said = printed_by(native)
    starts = [float(start) for start in re.findall(r"^([\d.]+) s: .+$", said, re.MULTILINE)]
    assert starts == sorted(starts)
    assert starts
    texts = [row.partition(": ")[2] for row in said.splitlines()]
    assert printed_by(openai) == " ".join(texts) + "\n"
    if shutil.which("curl") is None:
        return
    submit, look, subtitles, follow = (line.replace(HERE, url) for line in SHELL)
    found = re.search(r'"task_id":"([0-9a-f]{32})"', shell(submit))
    assert found
    task_id = found.group(1)
    assert "event: end" in shell(follow.replace("TASK_ID", task_id))
    assert '"status":"done"' in shell(look.replace("TASK_ID", task_id))
    assert " --> " in shell(subtitles.replace("TASK_ID", task_id))


def transcribers_metrics(url: str) -> None:
    """Those of the transcriber are on the page of the server that it is beside, which does all else in one process."""
    while (page := httpx2.get(url, trust_env=False).text).count('process="transcriber"') == 0:
        pass  # it was busy
    assert 'starling_job_attempts_total{process="transcriber",outcome="done"}' in page
    assert 'starling_jobs_submitted_total{process="server"}' in page


def test_the_examples_do_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "talk.wav").symlink_to(recording_path("beckett"))
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        chosen = {"server": {"port": 0}, "log": {"level": "error"}, "engine": {"name": "scripted"}, "jobs": {"idle_only": False}}
        async with running(Settings.model_validate(chosen)) as server:
            await asyncio.to_thread(examples, server.url.rstrip("/"))
            await asyncio.to_thread(transcribers_metrics, f"{server.url}metrics")

    uvloop.run(main())


def test_a_server_whose_disk_comes_late_takes_recordings_then(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.write_text("not there yet")
    jobs = {"store": f"sqlite:{place / 'jobs.db'}", "recordings": str(place / "recordings"), "log": "off", "workers": 0}
    chosen = {"server": {"port": 0}, "log": {"level": "error"}, "engine": {"name": "scripted"}, "jobs": jobs}

    async def main() -> None:
        async with running(Settings.model_validate(chosen)) as server, httpx2.AsyncClient(trust_env=False) as client:
            submit, talk = f"{server.url}api/v1/asr/submit", {"audio": recording_path("beckett").read_bytes()}
            refused = await client.post(submit, files=talk)
            assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
            place.unlink()
            async with asyncio.timeout(300):
                while (answer := await client.post(submit, files=talk)).status_code in {429, 503}:  # noqa: ASYNC110 - it is over HTTP
                    await asyncio.sleep(0.5)
            assert answer.status_code == 202

    uvloop.run(main())


def test_the_receiver_on_the_page_knows_a_genuine_message() -> None:
    names: dict[str, Any] = {}
    exec(compile(PYTHON[2], "recordings.md", "exec"), names)  # noqa: S102 - our own page
    genuine = names["genuine"]
    header = signature("secret", b"{}", 1000)
    assert genuine("secret", b"{}", header, 1100)
    assert not genuine("secret", b"{ }", header, 1100)
    assert not genuine("other", b"{}", header, 1100)
    assert not genuine("secret", b"{}", header, 2000)
