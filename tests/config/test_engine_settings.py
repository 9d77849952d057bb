from __future__ import annotations

from starling.config.groups.recognition import Engine, Precision
from starling.engine.moonshine import options


def test_the_settings_of_the_embedded_model_are_its_options() -> None:
    assert [precision.value for precision in Precision] == [precision.value for precision in options.Precision]
    assert options.MoonshineOptions().precision.value == Engine().precision.value
