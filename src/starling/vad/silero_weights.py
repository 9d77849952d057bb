"""The Silero v6 graph: found in the faster-whisper wheel, checked, and given an axis of listeners.

This serves where the graph of ``silero_graph`` does not score the same.

As shipped, the first axis of the graph's input is time: the frames of one listener. Two transposes around the LSTM fix that
reading. Replaced by reshapes that take the number of listeners from the state's shape, they make the same weights score
``[time * listeners, 576]`` against a state of ``[1, listeners, 128]``, with unchanged arithmetic.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from starling.core.errors import ModelUnavailable
from starling.vad.silero_graph import STATE

_SHA256 = "4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2"
_INTO_LSTM = "/Transpose_output_0"
_OUT_OF_LSTM = "/decoder/Transpose_output_0"


def silero_path() -> Path:
    """Where the installed faster-whisper keeps the graph. The package is not imported. Raises ModelUnavailable."""
    spec = importlib.util.find_spec("faster_whisper")
    if spec is None or spec.origin is None:
        raise ModelUnavailable("the Silero weights come with the faster-whisper package, which is not installed: install it")
    return Path(spec.origin).parent / "assets" / "silero_vad_v6.onnx"


def read_silero(path: Path) -> bytes:
    """The graph as shipped. Raises ModelUnavailable when it cannot be read or is not the version Starling knows."""
    try:
        graph = path.read_bytes()
    except OSError as error:
        raise ModelUnavailable(
            f"cannot read the Silero weights at {path}: {error.strerror}; install faster-whisper again"
        ) from error
    found = hashlib.sha256(graph).hexdigest()
    if found != _SHA256:
        raise ModelUnavailable(f"{path} is not Silero v6: expected sha256 {_SHA256}, got {found}; install faster-whisper 1.2")
    return graph


def widen(graph: bytes) -> bytes:
    """The shipped graph with an axis of listeners.

    Inputs: ``input`` float32 ``[time * listeners, 576]`` (time outermost), ``h`` and ``c`` float32 ``[1, listeners, 128]``.
    Outputs: probabilities ``[time * listeners]``, then the new ``h`` and ``c``. It takes about 3 ms: no cache is needed.
    """
    model = onnx.load_from_string(graph)
    shapes = {"any": [-1], "width": [STATE], "columns": [-1, STATE, 1]}
    model.graph.initializer.extend(numpy_helper.from_array(np.array(dims, np.int64), name) for name, dims in shapes.items())
    nodes = [
        helper.make_node("Shape", ["h"], ["listeners"], start=1, end=2),
        helper.make_node("Concat", ["any", "listeners", "width"], ["time_listeners_width"], axis=0),
    ]
    for node in model.graph.node:
        target = {_INTO_LSTM: "time_listeners_width", _OUT_OF_LSTM: "columns"}.get(node.output[0])
        replacement = helper.make_node("Reshape", [node.input[0], target], list(node.output)) if target else onnx.NodeProto()
        if not target:
            replacement.CopyFrom(node)
        nodes.append(replacement)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for value in (*model.graph.input, *model.graph.output):
        if value.name in {"h", "c", "hn", "cn"}:
            value.type.tensor_type.shape.dim[1].dim_param = "listeners"
    del model.graph.value_info[:]
    widened: bytes = model.SerializeToString()
    return widened
