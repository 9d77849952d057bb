"""How heads of attention know positions: they rotate pairs of dimensions (Su et al. 2021, "RoFormer", arXiv:2104.09864)."""

from __future__ import annotations

import numpy as np

from starling.engine.moonshine.construction.graph import Graph

HEAD = 36
"""Dimensions of an attention head."""

ROTATED = 32
"""Those of them that are rotated, neighbours together."""

_WAVELENGTH = 10_000.0


def rotation(graph: Graph, longest: int) -> tuple[str, str]:
    """Cosines and sines, float32 ``[longest, ROTATED / 2]``, of the angles at each position."""
    angles = np.outer(np.arange(longest), _WAVELENGTH ** -(np.arange(0, ROTATED, 2) / ROTATED))
    return graph.constant(np.cos(angles).astype(np.float32)), graph.constant(np.sin(angles).astype(np.float32))
