from __future__ import annotations

import pytest

from starling.engine.moonshine.engine import Model, load_model


@pytest.fixture(scope="session")
def moonshine() -> Model:
    return load_model()
