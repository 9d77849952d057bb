from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recordings import recording, recording_path
from starling.core.audio import Samples
from starling.engine.moonshine import (
    Model,
    MoonshineEngine,
    MoonshineOptions,
    Precision,
    Provenance,
    Source,
    agreement,
    load_model,
    model,
)
from starling.engine.moonshine.agreement import Agreement, compare
from starling.engine.moonshine.graphs import Encoding, as_floats
from starling.engine.moonshine.hearing import Echoes
from starling.engine.moonshine.recordings import speech
from starling.engine.moonshine.shipped import ShippedGraphs

pytestmark = pytest.mark.model


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


@pytest.fixture
def kept(graph_cache: Path, moonshine: Model, tmp_path: Path) -> Path:
    """A cache that holds rebuilt graphs already."""
    (path,) = graph_cache.glob("moonshine-tiny-en-int8-*.graphs")
    (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.fixture
def few_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less to compare on, for tests that are about something else."""

    def some(folder: Path) -> list[Samples]:
        return [next(iter(speech(folder)))]

    monkeypatch.setattr(model, "speech", some)


def test_what_was_built_once_is_not_built_again(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "_build", None)
    assert load_model(cache=kept).provenance == Provenance(Source.CACHED, Precision.INT8)


def test_an_engine_is_loaded_from_the_cache_of_the_user(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = only_file(kept)
    (kept / "starling").mkdir()
    path.rename(kept / "starling" / path.name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(kept))
    engine = MoonshineEngine.load(MoonshineOptions())
    assert engine.provenance == Provenance(Source.CACHED, Precision.INT8)
    assert engine.capabilities.word_times


@pytest.mark.parametrize("damage", ["half-written", "changed", "empty", "a folder"])
def test_a_damaged_cache_is_built_again(kept: Path, few_recordings: None, damage: str) -> None:
    path = only_file(kept)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    match damage:
        case "half-written":
            path.write_bytes(content[: len(content) // 2])
        case "changed":
            path.write_bytes(content)
        case "empty":
            path.write_bytes(b"")
        case _:
            path.unlink()
            path.mkdir()
    provenance = load_model(cache=kept).provenance
    if damage == "a folder":
        assert provenance.source is Source.UNKEPT
    else:
        assert provenance == Provenance(Source.BUILT, Precision.INT8)
        assert load_model(cache=kept).provenance.source is Source.CACHED
    assert len(list(kept.iterdir())) == 1


def test_a_cache_that_cannot_be_written_costs_time_and_is_told(tmp_path: Path, few_recordings: None) -> None:
    (tmp_path / "file").touch()
    provenance = load_model(cache=tmp_path / "file" / "below").provenance
    assert provenance.source is Source.UNKEPT
    assert "cannot be kept in" in provenance.reason


def test_without_a_home_graphs_are_not_kept(monkeypatch: pytest.MonkeyPatch, few_recordings: None) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", home)
    provenance = load_model().provenance
    assert (provenance.source, "XDG_CACHE_HOME" in provenance.reason) == (Source.UNKEPT, True)


def test_graphs_that_read_something_else_do_not_serve_and_are_not_built_again(
    tmp_path: Path, few_recordings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "TOLERANCE", -1.0)
    provenance = load_model(cache=tmp_path).provenance
    assert (provenance.source, provenance.precision) == (Source.SHIPPED, Precision.INT8)
    assert "words of the wheel's recordings differ" in provenance.reason
    assert only_file(tmp_path).stat().st_size < 1_000
    monkeypatch.setattr(model, "_build", None)
    assert load_model(cache=tmp_path).provenance == provenance


def test_a_build_that_fails_leaves_the_shipped_graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise KeyError("layers.0")

    monkeypatch.setattr(model, "_build", fail)
    loaded = load_model(precision=Precision.EXACT, cache=tmp_path)
    assert isinstance(loaded.graphs, ShippedGraphs)
    assert loaded.provenance == Provenance(Source.SHIPPED, Precision.INT8, "rebuilding raised KeyError: 'layers.0'")


def test_another_builder_has_other_files(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(model, "BUILDER", 10**6)
    monkeypatch.setattr(model, "_build", fail)
    assert load_model(cache=kept).provenance.source is Source.SHIPPED


def test_exact_graphs_agree_with_those_shipped(exact_moonshine: Model, graph_cache: Path) -> None:
    assert exact_moonshine.provenance in {Provenance(source, Precision.EXACT) for source in (Source.BUILT, Source.CACHED)}
    assert len(list(graph_cache.glob("moonshine-tiny-en-exact-*.graphs"))) == 1


def test_kept_graphs_load_without_the_slow_import(kept: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from starling.engine.moonshine import load_model; "
        f"assert load_model(cache=Path({str(kept)!r})).provenance.source == 'cached'; assert 'onnx' not in sys.modules"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)  # noqa: S603 - our own interpreter and code


def test_the_recordings_are_speech_at_16_khz() -> None:
    pieces = list(speech(recording_path("beckett").parent))
    assert all(0 < len(piece) <= 96_000 for piece in pieces)
    assert np.array_equal(pieces[0], recording("beckett")[:96_000])
    lowered = np.concatenate(pieces[2:])
    assert np.corrcoef(lowered[:48_000], recording("two_cities")[:48_000])[0, 1] > 0.95


class Deaf(ShippedGraphs):
    """Hears noise, whatever is said."""

    def __init__(self, graphs: ShippedGraphs) -> None:
        self._encoder, self._decoder = graphs._encoder, graphs._decoder

    def hear(self, audio: Samples | np.typing.NDArray[np.float32], echoes: Echoes | None = None) -> Encoding:
        return super().hear(as_floats(np.random.default_rng(0).normal(0, 3000, len(audio)).astype(np.int16)))


def test_a_wrong_graph_is_found_out(shipped_moonshine: Model) -> None:
    shipped = shipped_moonshine.graphs
    assert isinstance(shipped, ShippedGraphs)
    pieces = [recording("beckett")[:96_000]]
    wrong = compare(Deaf(shipped), shipped, shipped_moonshine.vocabulary, pieces)
    assert not wrong.holds
    right = compare(shipped, shipped, shipped_moonshine.vocabulary, pieces)
    assert (right.holds, right.different) == (True, 0)
    assert right.words == wrong.words > 0


def test_agreement_over_no_words_is_none() -> None:
    assert not Agreement(0, 0).holds
    assert Agreement(100, 10).holds
    assert not Agreement(100, 11).holds


def test_others_cannot_change_what_was_kept(graph_cache: Path, moonshine: Model) -> None:
    for path in graph_cache.iterdir():
        assert not path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)
