"""The composition root: the only place that chooses implementations.

``running`` is the whole server in one process. The other modules are the same server as processes of their own, each of which
loads no more than its role needs; therefore this package loads nothing before it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starling.app.embedded import Running, running

__all__ = ["Running", "running"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("starling.app.embedded"), name)
