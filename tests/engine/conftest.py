from __future__ import annotations

from pathlib import Path

import pytest

from starling.engine.moonshine import Model, Precision, Provenance, Source, load_model
from starling.engine.moonshine.shipped import ShippedGraphs
from starling.engine.moonshine.weights import read_weights, wheel_folder
from together import common_folder, one_at_a_time


@pytest.fixture(scope="session")
def graph_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of rebuilt graphs that starts empty; one for all processes that share the tests between them."""
    folder = common_folder(tmp_path_factory) / "graphs"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def moonshine(graph_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    with one_at_a_time(tmp_path_factory):
        return load_model(cache=graph_cache)


@pytest.fixture(scope="session")
def exact_moonshine(graph_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    with one_at_a_time(tmp_path_factory):
        return load_model(precision=Precision.EXACT, cache=graph_cache)


@pytest.fixture(scope="session")
def shipped_moonshine(moonshine: Model) -> Model:
    weights = read_weights(wheel_folder())
    graphs = ShippedGraphs(weights.encoder, weights.decoder)
    return Model(graphs, moonshine.vocabulary, Provenance(Source.SHIPPED, Precision.INT8, "a test asks for them"))
