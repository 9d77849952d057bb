"""The gateway of ``bench.ballast``."""

from __future__ import annotations

from bench.ballast import take_on_ballast
from starling.app.child import run_template
from starling.app.gateway_process import load_edge, serve

if __name__ == "__main__":
    take_on_ballast()
    run_template(load_edge, serve)
