"""Writing a graph down, node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from starling.engine.moonshine.construction.extraction import Quantised
from starling.engine.moonshine.options import Precision

MICROSOFT = "com.microsoft"
"""Where onnxruntime keeps its own operators: https://github.com/microsoft/onnxruntime/blob/v1.23.2/docs/ContribOperators.md"""

_ALL = np.iinfo(np.int64).max
_MIDDLE = 128
"""Where zero is among the 256 whole numbers."""

_STEP = np.array(1 / 127, np.float32)
"""From one whole number to the next, where the largest is 127."""

_TYPES: dict[object, int] = {np.float32: TensorProto.FLOAT, np.int32: TensorProto.INT32, np.int64: TensorProto.INT64}


class Graph:
    """A graph under construction. Values go by name; ``node`` names what it makes."""

    def __init__(self, precision: Precision) -> None:
        self._precision = precision
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, dtype: type, shape: Sequence[str | int]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[dtype], shape))
        return name

    def output(self, name: str, dtype: type, shape: Sequence[str | int]) -> str:
        self._outputs.append(helper.make_tensor_value_info(name, _TYPES[dtype], shape))
        return name

    def constant(self, value: NDArray[Any]) -> str:
        name = f"constant.{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def numbers(self, *values: int) -> str:
        """A constant int64 ``[n]``, as shapes and axes are given."""
        return self.constant(np.array(values, np.int64))

    def cut(self, value: str, start: int = 0, end: int | str = _ALL, *, axis: int = 0, step: int = 1) -> str:
        """``value[start:end:step]`` along ``axis``. ``end`` may be a value, int64 ``[1]``."""
        limit = end if isinstance(end, str) else self.numbers(end)
        return self.node("Slice", value, self.numbers(start), limit, self.numbers(axis), self.numbers(step))

    def length(self, value: str) -> str:
        """The length of the first axis of ``value``, int64 ``[1]``."""
        return self.node("Shape", value, start=0, end=1)

    def node(self, operator: str, *inputs: str, to: str | None = None, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output, called ``to`` if it matters."""
        (name,) = self.nodes(operator, *inputs, to=[to or f"value.{len(self._nodes)}"], domain=domain, **attributes)
        return name

    def nodes(self, operator: str, *inputs: str, to: list[str], domain: str = "", **attributes: Any) -> list[str]:
        """Add a node whose outputs are called ``to``."""
        name = f"{operator}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, to, name=name, domain=domain, **attributes))
        return to

    def linear(self, value: str, *matrices: Quantised) -> str:
        """``value`` (float32 ``[..., k]``) times the matrices side by side (``[k, n]`` in all), plus the bias of a single one."""
        bias = matrices[0].bias if len(matrices) == 1 else None
        if self._precision is Precision.EXACT:
            weights = self.constant(np.concatenate([matrix.floats() for matrix in matrices], axis=1))
            result = self.node("MatMul", value, weights)
            return result if bias is None else self.node("Add", result, self.constant(bias))
        return self.node(
            "DynamicQuantizeMatMul",
            value,
            *self._side_by_side(matrices),
            "" if bias is None else self.constant(bias),
            domain=MICROSOFT,
        )

    def linear_by_row(self, value: str, *matrices: Quantised) -> str:
        """As ``linear``, but in int8 each row of ``value`` has a scale of its own: rows know nothing of each other.

        The largest number of a row becomes 127. Sums are whole numbers and therefore the same in whatever order.
        """
        if self._precision is Precision.EXACT:
            return self.linear(value, *matrices)
        bias = matrices[0].bias if len(matrices) == 1 else None
        step, middle = self.constant(_STEP), self.constant(np.array(_MIDDLE, np.uint8))
        largest = self.node("ReduceMax", self.node("Abs", value), self.numbers(-1), keepdims=1)
        whole = self.node("QuantizeLinear", self.node("Div", value, largest), step, middle)
        weights, scales, zero_points = self._side_by_side(matrices)
        product = self.node("MatMulIntegerToFloat", whole, weights, step, scales, middle, zero_points, domain=MICROSOFT)
        product = self.node("Mul", product, largest)
        return product if bias is None else self.node("Add", product, self.constant(bias))

    def whole_numbers(self, rows: str, largest: str) -> str:
        """Float32 ``[n, k]`` as uint8 around 128: ``largest``, float32 ``[n, 1]``, of each row becomes 127."""
        scale = self.node("Squeeze", self.node("Mul", largest, self.constant(_STEP)), self.numbers(1))
        middle = numpy_helper.from_array(np.array([_MIDDLE], np.uint8))
        middles = self.node("ConstantOfShape", self.node("Shape", scale), value=middle)
        return self.node("QuantizeLinear", rows, scale, middles, axis=0)

    def product_of_whole_numbers(self, rows: str, matrix: NDArray[np.float32]) -> str:
        """What ``whole_numbers`` made times ``matrix``, float32 ``[k, n]``, as if the largest of each row had been 1.

        The matrix becomes whole numbers too, with a scale for each column.
        """
        scales = np.abs(matrix).max(axis=0) * _STEP
        weights = (np.round(matrix / scales) + _MIDDLE).astype(np.uint8)
        middles = np.full(len(scales), _MIDDLE, np.uint8)
        step, middle = self.constant(_STEP), self.constant(np.array(_MIDDLE, np.uint8))
        inputs = (rows, self.constant(weights), step, self.constant(scales), middle, self.constant(middles))
        return self.node("MatMulIntegerToFloat", *inputs, domain=MICROSOFT)

    def _side_by_side(self, matrices: Sequence[Quantised]) -> tuple[str, str, str]:
        """Values, scales and zero points of ``matrices`` as one."""
        widths = [matrix.values.shape[1] for matrix in matrices]
        scales = np.repeat(np.array([matrix.scale for matrix in matrices], np.float32), widths)
        zero_points = np.repeat(np.array([matrix.zero_point for matrix in matrices], np.uint8), widths)
        return (
            self.constant(np.concatenate([matrix.values for matrix in matrices], axis=1)),
            self.constant(scales if len(matrices) > 1 else scales[0]),
            self.constant(zero_points if len(matrices) > 1 else zero_points[0]),
        )

    def serialised(self) -> bytes:
        """The bytes of an ``.onnx`` file."""
        graph = helper.make_graph(self._nodes, "moonshine", self._inputs, self._outputs, self._constants)
        operators = [helper.make_opsetid("", 18), helper.make_opsetid(MICROSOFT, 1)]
        content: bytes = helper.make_model(graph, opset_imports=operators, ir_version=9).SerializeToString()
        return content
