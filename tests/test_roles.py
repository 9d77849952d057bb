"""Each process loads what its role needs and no more: it shows in memory, in time to start, and in what can crash."""

from __future__ import annotations

import subprocess
import sys

import pytest

MODELS = {"onnxruntime", "starling.engine", "starling.worker", "starling.scheduler.loop"}
EDGE = {"fastapi", "uvicorn", "websockets"}


@pytest.mark.parametrize(
    ("module", "banned"),
    [
        ("starling.app.host", MODELS | EDGE | {"grpc", "google.protobuf"}),
        ("starling.app.gateway_process", MODELS | {"grpc", "google.protobuf"}),
        ("starling.app.recognizer_process", EDGE),
        ("starling.app.gateway_role", MODELS),
        ("starling.app.recognizer_role", EDGE),
        ("starling.app.transcriber_process", MODELS | EDGE | {"av"}),
        ("starling.app.transcriber_role", MODELS | EDGE | {"av", "starling.transcriber"}),
        ("starling.app.scribe_process", EDGE),
    ],
)
def test_a_role_does_not_load_what_is_anothers(module: str, banned: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()  # noqa: S603 - our own
    assert not banned & set(loaded)
