"""Starling: live audio in, captions out while the person still speaks."""

__version__ = "0.1.0"
