"""Starling: live audio in, captions out while the person still speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starling.version import __version__

if TYPE_CHECKING:
    from starling.recognizer import Recognizer

__all__ = ["Recognizer", "__version__"]


def __getattr__(name: str) -> Any:
    """Load the recognizer, and the models' libraries with it, only for whoever asks for it."""
    if name == "Recognizer":
        from starling.recognizer import Recognizer  # noqa: PLC0415 - see the docstring

        return Recognizer
    raise AttributeError(f"module 'starling' has no attribute {name!r}")
