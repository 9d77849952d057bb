"""Loading Moonshine: weights checked, graphs rebuilt once and kept, and not trusted before they agreed with those shipped."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from starling.engine.moonshine.agreement import Agreement, compare
from starling.engine.moonshine.artefacts import Artefact, read_artefact, user_cache, write_artefact
from starling.engine.moonshine.graphs import Graphs
from starling.engine.moonshine.options import Precision
from starling.engine.moonshine.rebuilt import RebuiltGraphs
from starling.engine.moonshine.recordings import speech
from starling.engine.moonshine.runtime import ONNXRUNTIME, check_onnxruntime
from starling.engine.moonshine.shipped import ShippedGraphs
from starling.engine.moonshine.tokens import Vocabulary, parse_pieces
from starling.engine.moonshine.weights import SHA256, Weights, read_weights, wheel_folder

BUILDER = 7
"""Counts up with every change of the rebuilt graphs; what another builder has made is not looked at."""


class Source(StrEnum):
    """Where a model's graphs came from.

    ``CACHED``: rebuilt at an earlier start. ``BUILT``: rebuilt now, and kept. ``UNKEPT``: rebuilt now, and the cache could not be
    written. ``SHIPPED``: those of the wheel, because the rebuilt ones did not come about or read something else.
    """

    CACHED = "cached"
    BUILT = "built"
    UNKEPT = "unkept"
    SHIPPED = "shipped"


@dataclass(frozen=True, slots=True)
class Provenance:
    """What serves. ``reason``: for people, why it is not what was asked for; empty when it is."""

    source: Source
    precision: Precision
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """What is heavy and shared by all streams."""

    graphs: Graphs
    vocabulary: Vocabulary
    provenance: Provenance


def load_model(folder: Path | None = None, *, precision: Precision = Precision.INT8, cache: Path | None = None) -> Model:
    """Load the model from ``folder``, by default the installed wheel's, with graphs rebuilt for ``precision``.

    ``cache``: the folder where rebuilt graphs are kept, by default the user's. When rebuilt graphs cannot be had, or read another
    text, the shipped ones serve, and ``provenance`` says so. Raises ModelUnavailable when a file of the model is missing or not
    the expected one, or onnxruntime is of another version.
    """
    check_onnxruntime()
    folder = wheel_folder() if folder is None else folder
    weights = read_weights(folder)
    vocabulary = Vocabulary(parse_pieces(weights.tokenizer))
    try:
        return _rebuilt(weights, vocabulary, folder, precision, cache)
    except _Unfit as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - whatever keeps the rebuilt graphs away, the shipped ones are there to serve
        reason = f"rebuilding raised {type(error).__name__}: {error}"
    shipped = ShippedGraphs(weights.encoder, weights.decoder)
    return Model(shipped, vocabulary, Provenance(Source.SHIPPED, Precision.INT8, reason))


class _Unfit(Exception):
    """The rebuilt graphs read another text than those shipped."""


def _rebuilt(weights: Weights, vocabulary: Vocabulary, folder: Path, precision: Precision, cache: Path | None) -> Model:
    """The model with rebuilt graphs. Raises _Unfit, and whatever may go wrong on the way."""
    source, reason = Source.CACHED, ""
    path = _artefact_path(precision, cache)
    artefact = None if path is None else read_artefact(path)
    if artefact is not None:
        agreement = Agreement(**artefact.facts)
        graphs = _open(artefact.parts, precision) if agreement.holds else None
    else:
        parts = _build(weights, precision)
        graphs = _open(parts, precision)
        shipped = ShippedGraphs(weights.encoder, weights.decoder)
        agreement = compare(graphs, shipped, vocabulary, speech(folder.parent))
        source, reason = _keep(path, Artefact(parts if agreement.holds else {}, asdict(agreement)))
    if graphs is None or not agreement.holds:
        raise _Unfit(str(agreement))
    return Model(graphs, vocabulary, Provenance(source, precision, reason))


def _artefact_path(precision: Precision, cache: Path | None) -> Path | None:
    """A name of its own for all that decides what the graphs are and what text they give; None without a home to keep it in."""
    decisive = json.dumps([BUILDER, ONNXRUNTIME, precision, platform.machine(), SHA256])
    try:
        folder = user_cache() if cache is None else cache
    except RuntimeError:
        return None
    return folder / f"moonshine-tiny-en-{precision}-{hashlib.sha256(decisive.encode()).hexdigest()[:16]}.graphs"


def _build(weights: Weights, precision: Precision) -> dict[str, bytes]:
    from starling.engine.moonshine.construction.decoder import build_cross, build_decoder  # noqa: PLC0415 - onnx is slow
    from starling.engine.moonshine.construction.encoder import build_ear, build_encoder  # noqa: PLC0415 - to import, and
    from starling.engine.moonshine.construction.extraction import decoder_weights, encoder_weights  # noqa: PLC0415 - seldom
    # needed

    listening, writing = encoder_weights(weights.encoder), decoder_weights(weights.decoder)
    return {
        "ear": build_ear(listening, precision),
        "encoder": build_encoder(listening, precision),
        "cross": build_cross(writing, precision),
        "decoder": build_decoder(writing, precision, by_row=False),
    } | ({} if precision is Precision.EXACT else {"searcher": build_decoder(writing, precision, by_row=True)})


def _open(parts: Mapping[str, bytes], precision: Precision) -> RebuiltGraphs:
    return RebuiltGraphs(**parts, steady=precision is Precision.EXACT)


def _keep(path: Path | None, artefact: Artefact) -> tuple[Source, str]:
    """Write ``artefact``; what became of it, and why it was not kept."""
    if path is None:
        return Source.UNKEPT, "there is no home directory to keep the rebuilt graphs in: set XDG_CACHE_HOME"
    try:
        write_artefact(path, artefact)
    except OSError as error:
        return Source.UNKEPT, f"the rebuilt graphs cannot be kept in {path.parent}: {error.strerror}"
    return Source.BUILT, ""
