"""A recognizer without a model."""

from __future__ import annotations

from starling.app.child import run_template
from starling.app.recognition import Models
from starling.app.recognizer_process import recognize
from starling.config.settings import Settings
from starling.core.errors import ModelUnavailable


def load(settings: Settings) -> Models:
    """Raises ModelUnavailable."""
    raise ModelUnavailable("the weights are on holiday")


if __name__ == "__main__":
    run_template(load, recognize)
