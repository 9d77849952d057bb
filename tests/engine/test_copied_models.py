from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from starling.engine.moonshine.options import Precision

pytestmark = [pytest.mark.model, pytest.mark.skipif(sys.platform != "linux", reason="copies are made on Linux only")]


@pytest.mark.parametrize("precision", Precision)
def test_models_say_in_copies_of_their_process_what_they_say_in_it(precision: Precision) -> None:
    paths = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-W", "error", "-m", "engine.copied_models", precision],
        env=os.environ | paths,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    heard = done.stdout.split()
    assert len(heard) == 7
    assert len(set(heard)) == 1
