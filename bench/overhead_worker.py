"""Recognizers of ``bench.overhead``, and their template."""

from __future__ import annotations

from bench.overhead import count_inside
from starling.app.child import Place, run_template
from starling.app.recognition import Models, load_models
from starling.app.recognizer_process import recognize


async def counted(place: Place, models: Models) -> None:
    """Each counts for itself."""
    count_inside()
    await recognize(place, models)


if __name__ == "__main__":
    run_template(load_models, counted)
