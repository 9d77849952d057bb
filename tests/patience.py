"""How long a test waits for what must come."""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 300.0
"""Seconds. It ends a test that hangs, and must not end one on a machine that is slow and has other work."""
