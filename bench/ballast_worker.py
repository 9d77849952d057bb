"""A recognizer of ``bench.ballast``."""

from __future__ import annotations

from bench.ballast import take_on_ballast
from starling.app.child import run_template
from starling.app.recognition import load_models
from starling.app.recognizer_process import recognize

if __name__ == "__main__":
    take_on_ballast()
    run_template(load_models, recognize)
