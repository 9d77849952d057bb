"""The encoder of Moonshine in 32-bit floats: the shipped graph, with float products in place of int8 ones."""

from __future__ import annotations

from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from starling.engine.moonshine.construction.extraction import as_onnx, initializers, product

_DOMAINS = {"", "com.microsoft"}


def build_encoder(model: bytes) -> bytes:
    """``model``, the bytes of the shipped encoder, as the bytes of an ``.onnx`` file with the same inputs and outputs."""
    shipped = as_onnx(model)
    constants = initializers(shipped)
    floats = {node.output[0]: node.input[0] for node in shipped.graph.node if node.op_type == "DynamicQuantizeLinear"}
    nodes: list[NodeProto] = []
    weights = []
    for node in shipped.graph.node:
        matrix = product(node, constants)
        if node.op_type == "DynamicQuantizeLinear":
            continue
        if matrix is None:
            nodes.append(node)
            continue
        (result,) = node.output
        name = f"{result}.weight"
        weights.append(numpy_helper.from_array(matrix.floats(), name))
        source = floats.get(node.input[0], node.input[0])
        if matrix.bias is None:
            nodes.append(helper.make_node("MatMul", [source, name], [result]))
        else:
            nodes.append(helper.make_node("MatMul", [source, name], [f"{result}.product"]))
            weights.append(numpy_helper.from_array(matrix.bias, f"{result}.bias"))
            nodes.append(helper.make_node("Add", [f"{result}.product", f"{result}.bias"], [result]))
    content: bytes = _with(shipped, nodes, weights).SerializeToString()
    return content


def _with(shipped: ModelProto, nodes: list[NodeProto], weights: list[TensorProto]) -> ModelProto:
    """``shipped`` with these nodes, and of its constants only those that they use."""
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in shipped.graph.initializer if tensor.name in used]
    graph = helper.make_graph(nodes, "moonshine", shipped.graph.input, shipped.graph.output, kept + weights)
    operators = [operator for operator in shipped.opset_import if operator.domain in _DOMAINS]
    return helper.make_model(graph, opset_imports=operators, ir_version=shipped.ir_version)
