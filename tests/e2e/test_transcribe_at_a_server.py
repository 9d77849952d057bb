"""``starling transcribe --server``: the whole way of a recording, through a gateway, a store, a transcriber and back."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from chaos.platform_harness import platform
from recordings import recording, recording_path
from starling.core.config import SessionConfig
from starling.engine.scripted import ScriptedEngine
from starling.recognizer import Recognizer


async def transcribe(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "starling", "transcribe", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def test_a_server_says_what_live_recognition_would_have_said(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.wav"
    damaged.write_bytes(b"RIFF, but nothing else")
    jobs = {
        "STARLING_JOBS__WORKERS": "1",
        "STARLING_JOBS__IDLE_ONLY": "false",
        "STARLING_JOBS__STORE": f"sqlite:{tmp_path / 'jobs.db'}",
        "STARLING_JOBS__RECORDINGS": str(tmp_path / "recordings"),
        "STARLING_JOBS__LOG": "off",
    }

    async def scenario() -> None:
        async with platform(workers=1, settings=jobs, directory=tmp_path) as server:
            beckett = str(recording_path("beckett"))
            code, out, err = await transcribe(beckett, str(damaged), "--server", server.url, "--format", "json")
            assert code == 1
            [line] = out.splitlines()
            with Recognizer(engine=ScriptedEngine()) as recognizer:
                finals = list(recognizer.transcribe(recording("beckett"), SessionConfig()))
            assert [one["text"] for one in json.loads(line)["segments"]] == [final.text for final in finals if final.text]
            assert f"starling: {damaged}: expected a recording" in err
            code, _, err = await transcribe(beckett, "--server", server.url, "--vad", "off")
            assert code == 2
            assert "--vad is the server's own" in err

    asyncio.run(scenario())
