"""The Silero v6 graph, written anew for many frames at once, around the weights as shipped.

The shipped graph hears frames one by one: a Fourier transform and four convolutions, each written as a convolution, then an LSTM.
A frame has four spectra at most in the time axis of these convolutions, and never sees its neighbours there. So each convolution
is one matrix for a whole frame, with zeros where the kernel does not reach, and all frames are rows of one product. Only the LSTM
goes frame by frame. The mathematics is that of the shipped graph, the order of its sums is not: scores differ in last bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

HOP: Final = 128
"""Samples from one spectrum to the next. Each is of two hops."""

HOPS: Final = 5
"""Hops that a frame is heard in: what the graph gets of it, and the last samples of that backwards."""

WINDOW: Final = 576
"""Samples that the graph gets for each frame: 64 before it, and its 512."""

STATE: Final = 128
"""Width of each of the two LSTM states of a listener."""

_SPECTRA: Final = HOPS - 1
_STRIDES: Final = (1, 2, 2, 1)
_KERNEL: Final = 3


def build(shipped: bytes) -> bytes:
    """The graph that ``silero.Silero`` runs, of the weights in ``shipped``.

    Inputs: ``input`` float32 ``[time * listeners, WINDOW]`` (time outermost), ``h`` and ``c`` float32 ``[1, listeners, STATE]``.
    Outputs: probabilities ``[time * listeners]``, then the new ``h`` and ``c``. Raises KeyError for another graph.
    """
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load_from_string(shipped).graph.initializer}
    graph = _Graph()
    mirrored = graph.node("Pad", "input", graph.constant(np.array([0, 0, 0, HOPS * HOP - WINDOW])), mode="reflect")
    hops = graph.node("Reshape", mirrored, graph.constant(np.array([-1, HOPS, HOP])))
    pairs = graph.node("Concat", graph.cut(hops, 0, _SPECTRA), graph.cut(hops, 1, HOPS), axis=2)
    basis = weights["encoder.feature_extractor.forward_basis_buffer"][:, 0]
    real, imaginary = graph.split(graph.node("MatMul", pairs, graph.constant(basis.T)))
    power = graph.node("Add", graph.node("Mul", real, real), graph.node("Mul", imaginary, imaginary))
    heard = graph.node("Reshape", graph.node("Sqrt", power), graph.constant(np.array([-1, _SPECTRA * len(basis) // 2])))
    times = _SPECTRA
    for layer, stride in enumerate(_STRIDES):
        matrix = whole_frame(weights[f"encoder.conv_layers.{layer}.weight"], times=times, stride=stride)
        times = (times - 1) // stride + 1
        bias = np.tile(weights[f"encoder.conv_layers.{layer}.bias"], times)
        heard = graph.node("MatMul", heard, graph.constant(matrix))
        heard = graph.node("Relu", graph.node("Add", heard, graph.constant(bias)))
    _remember(graph, heard, weights)
    return graph.serialised()


def whole_frame(kernel: NDArray[np.float32], *, times: int, stride: int) -> NDArray[np.float32]:
    """A convolution over a frame of ``times`` steps, with a step of zeros on either side, as one matrix.

    ``kernel``: float32 ``[out, in, 3]``. The matrix is ``[times * in, times after strides * out]``.
    """
    wide, narrow, _ = kernel.shape
    starts = range(-1, times - 1, stride)
    matrix = np.zeros((times, narrow, len(starts), wide), np.float32)
    for after, start in enumerate(starts):
        for tap in range(_KERNEL):
            if 0 <= start + tap < times:
                matrix[start + tap, :, after] = kernel[:, :, tap].T
    return matrix.reshape(times * narrow, -1)


def _remember(graph: _Graph, heard: str, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """The LSTM over time, and the probability that it comes to."""
    listeners = graph.node("Shape", "h", start=1, end=2)
    shape = graph.node("Concat", graph.constant(np.array([-1])), listeners, graph.constant(np.array([STATE])), axis=0)
    inputs = [graph.constant(weights[f"onnx::LSTM_{number}"]) for number in (209, 210, 211)]
    graph.nodes("LSTM", graph.node("Reshape", heard, shape), *inputs, "", "h", "c", to=["told", "hn", "cn"], hidden_size=STATE)
    told = graph.node("Relu", graph.node("Reshape", "told", graph.constant(np.array([-1, STATE]))))
    last = graph.constant(weights["decoder.conv1d.weight"][0])
    score = graph.node("Add", graph.node("MatMul", told, last), graph.constant(weights["decoder.conv1d.bias"]))
    graph.nodes("Reshape", graph.node("Sigmoid", score), graph.constant(np.array([-1])), to=["speech_probs"])


class _Graph:
    """A graph under construction. Values go by name."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, value: NDArray[Any]) -> str:
        name = f"constant.{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output."""
        (name,) = self.nodes(operator, *inputs, to=[f"value.{len(self._nodes)}"], **attributes)
        return name

    def nodes(self, operator: str, *inputs: str, to: list[str], **attributes: Any) -> list[str]:
        """Add a node whose outputs are called ``to``."""
        self._nodes.append(helper.make_node(operator, inputs, to, **attributes))
        return to

    def cut(self, value: str, start: int, end: int) -> str:
        """``value[:, start:end]``."""
        return self.node("Slice", value, *(self.constant(np.array([number])) for number in (start, end, 1)))

    def split(self, value: str) -> Sequence[str]:
        """The halves of ``value`` along its last axis."""
        return self.nodes("Split", value, to=[f"{value}.left", f"{value}.right"], axis=-1, num_outputs=2)

    def serialised(self) -> bytes:
        """The bytes of an ``.onnx`` file."""
        state: list[str | int] = [1, "listeners", STATE]
        inputs = [
            helper.make_tensor_value_info("input", TensorProto.FLOAT, ["frames", WINDOW]),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, state) for name in ("h", "c")),
        ]
        outputs = [
            helper.make_tensor_value_info("speech_probs", TensorProto.FLOAT, ["frames"]),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, state) for name in ("hn", "cn")),
        ]
        graph = helper.make_graph(self._nodes, "silero", inputs, outputs, self._constants)
        content: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
        return content
