"""A recognizer of ``bench.overhead``."""

from __future__ import annotations

from bench.overhead import count_inside
from starling.app.child import run_role
from starling.app.recognizer_process import recognize

if __name__ == "__main__":
    count_inside()
    run_role(recognize)
