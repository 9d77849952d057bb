"""Moonshine tiny-en (English, MIT licence) on plain onnxruntime, from the weights inside the moonshine-voice wheel."""

from starling.engine.moonshine.engine import MoonshineEngine, load_model

__all__ = ["MoonshineEngine", "load_model"]
