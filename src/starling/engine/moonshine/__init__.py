"""Moonshine tiny-en (English, MIT licence) on plain onnxruntime, from the weights inside the moonshine-voice wheel."""

from starling.engine.moonshine.engine import MoonshineEngine
from starling.engine.moonshine.model import Model, Provenance, Source, load_model
from starling.engine.moonshine.options import MoonshineOptions, Precision

__all__ = ["Model", "MoonshineEngine", "MoonshineOptions", "Precision", "Provenance", "Source", "load_model"]
