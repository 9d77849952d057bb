"""The weights of encoder and decoder, out of the graphs they are shipped in.

A ``.ort`` file becomes ``.onnx`` by letting onnxruntime save what it loaded. Its nodes are named after the layers of the
published model (Jeffries et al. 2024, "Moonshine: Speech Recognition for Live Transcription and Voice Commands",
arXiv:2410.15608), so each weight is found by the node that uses it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper
from onnxruntime import (  # type: ignore[attr-defined]  # it exports them without saying so
    GraphOptimizationLevel,
    InferenceSession,
    SessionOptions,
)

LAYERS = 6

_PRODUCTS = {"MatMulIntegerToFloat": 6, "DynamicQuantizeMatMul": 4}
"""The matrix products of the shipped graphs, and which input is the bias."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """A matrix as shipped: ``values`` uint8 ``[k, n]``, that mean ``(values - zero_point) * scale``; ``bias`` float32 ``[n]``."""

    values: NDArray[np.uint8]
    scale: float
    zero_point: int
    bias: NDArray[np.float32] | None = None

    def floats(self) -> NDArray[np.float32]:
        return (self.values.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the decoder: attention to what was read, to what was heard, gated linear unit; a norm before each.

    Matrices are 288 by 288 but for ``expand`` (288 by 2304) and ``contract`` (1152 by 288); norms are float32 ``[288]``.
    """

    self_norm: NDArray[np.float32]
    query: Quantised
    key: Quantised
    value: Quantised
    out: Quantised
    cross_norm: NDArray[np.float32]
    cross_query: Quantised
    cross_key: Quantised
    cross_value: Quantised
    cross_out: Quantised
    feed_norm: NDArray[np.float32]
    expand: Quantised
    contract: Quantised


@dataclass(frozen=True, slots=True)
class DecoderWeights:
    """``embedding``: 32768 by 288; ``head``: 288 by 32768."""

    embedding: Quantised
    layers: tuple[Layer, ...]
    norm: NDArray[np.float32]
    head: Quantised


@dataclass(frozen=True, slots=True)
class EncoderLayer:
    """One layer of the encoder: attention to all that was heard, and a feed-forward network; a norm before each.

    Matrices are 288 by 288 but for ``expand`` (288 by 1152) and ``contract`` (1152 by 288); norms are float32 ``[288]``.
    """

    self_norm: NDArray[np.float32]
    query: Quantised
    key: Quantised
    value: Quantised
    out: Quantised
    feed_norm: NDArray[np.float32]
    expand: Quantised
    contract: Quantised


@dataclass(frozen=True, slots=True)
class EncoderWeights:
    """Three convolutions, float32 ``[out, in, window]``: 288 by 1 by 127, 576 by 288 by 7 and 288 by 576 by 3; then layers.

    Between the first two is a norm over all channels and all time, with ``gain`` and ``shift``, float32 ``[288]``.
    ``second_bias`` is float32 ``[576]``, ``third_bias`` ``[288]``.
    """

    first: NDArray[np.float32]
    gain: NDArray[np.float32]
    shift: NDArray[np.float32]
    second: NDArray[np.float32]
    second_bias: NDArray[np.float32]
    third: NDArray[np.float32]
    third_bias: NDArray[np.float32]
    layers: tuple[EncoderLayer, ...]
    norm: NDArray[np.float32]


def as_onnx(model: bytes) -> ModelProto:
    """The graph in ``model``, the bytes of a ``.ort`` file."""
    options = SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.save_model_format", "ONNX")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.onnx")
        options.optimized_model_filepath = str(path)
        InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return onnx.load(path)


def initializers(model: ModelProto) -> dict[str, NDArray[Any]]:
    """The constants of ``model``, by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def product(node: NodeProto, constants: Mapping[str, NDArray[Any]]) -> Quantised | None:
    """The matrix that ``node`` multiplies by, or None when it is no matrix product of a shipped graph."""
    if node.op_type not in _PRODUCTS:
        return None
    name = node.input[1]
    stem = name.removesuffix("_quantized")
    at = _PRODUCTS[node.op_type]
    bias = constants[node.input[at]] if len(node.input) > at and node.input[at] else None
    return Quantised(constants[name], float(constants[f"{stem}_scale"]), int(constants[f"{stem}_zero_point"]), bias)


def decoder_weights(model: bytes) -> DecoderWeights:
    """The weights in ``model``, the bytes of the shipped decoder. Raises KeyError or IndexError for another graph."""
    graph = as_onnx(model)
    constants = initializers(graph)
    matrices: dict[str, Quantised] = {}
    norms: dict[str, NDArray[np.float32]] = {}
    for node in _branch_without_past(graph).node:
        matrix = product(node, constants)
        if matrix is not None:
            matrices[node.name.removesuffix("/MatMul_quant").removeprefix("/model/decoder/")] = matrix
        elif node.op_type == "LayerNormalization":
            norms[node.name.removesuffix("/LayerNormalization").removeprefix("/model/decoder/")] = constants[node.input[1]]
    stem = "model.decoder.embed_tokens.weight_merged_0_"
    embedding = Quantised(constants[f"{stem}quantized"], float(constants[f"{stem}scale"]), int(constants[f"{stem}zero_point"]))
    layers = tuple(_layer(f"layers.{number}", matrices, norms) for number in range(LAYERS))
    return DecoderWeights(embedding, layers, norms["norm"], matrices["/proj_out"])


def encoder_weights(model: bytes) -> EncoderWeights:
    """The weights in ``model``, the bytes of the shipped encoder. Raises KeyError for another graph."""
    graph = as_onnx(model)
    constants = initializers(graph)
    matrices: dict[str, Quantised] = {}
    others: dict[str, list[NDArray[np.float32]]] = {}
    for node in graph.graph.node:
        matrix = product(node, constants)
        if matrix is None:
            others[node.name] = [constants[name] for name in node.input[1:] if name in constants]
        else:
            matrices[node.name.removesuffix("/MatMul_quant").removeprefix("/")] = matrix
    ((gain,), (shift,)) = others["/groupnorm/Mul"], others["/groupnorm/Add"]
    ((first,), (second, second_bias), (third, third_bias)) = (others[f"/conv{number}/Conv"] for number in (1, 2, 3))
    layers = tuple(
        EncoderLayer(
            self_norm=others[f"/layers.{number}/input_layernorm/LayerNormalization"][0],
            query=matrices[f"layers.{number}/self_attn/q_proj"],
            key=matrices[f"layers.{number}/self_attn/k_proj"],
            value=matrices[f"layers.{number}/self_attn/v_proj"],
            out=matrices[f"layers.{number}/self_attn/o_proj"],
            feed_norm=others[f"/layers.{number}/post_attention_layernorm/LayerNormalization"][0],
            expand=matrices[f"layers.{number}/mlp/fc1"],
            contract=matrices[f"layers.{number}/mlp/fc2"],
        )
        for number in range(LAYERS)
    )
    return EncoderWeights(
        first=first,
        gain=gain.ravel(),
        shift=shift.ravel(),
        second=second,
        second_bias=second_bias,
        third=third,
        third_bias=third_bias,
        layers=layers,
        norm=others["SkipLayerNormalization"][0],
    )


def _branch_without_past(model: ModelProto) -> Any:
    """The branch that has all the weights: the other one has no keys and values of the encoder's states to make."""
    (choice,) = [node for node in model.graph.node if node.op_type == "If"]
    (branch,) = [attribute.g for attribute in choice.attribute if attribute.name == "else_branch"]
    return branch


def _layer(name: str, matrices: Mapping[str, Quantised], norms: Mapping[str, NDArray[np.float32]]) -> Layer:
    return Layer(
        self_norm=norms[f"{name}/input_layernorm"],
        query=matrices[f"{name}/self_attn/q_proj"],
        key=matrices[f"{name}/self_attn/k_proj"],
        value=matrices[f"{name}/self_attn/v_proj"],
        out=matrices[f"{name}/self_attn/o_proj"],
        cross_norm=norms[f"{name}/post_attention_layernorm"],
        cross_query=matrices[f"{name}/encoder_attn/q_proj"],
        cross_key=matrices[f"{name}/encoder_attn/k_proj"],
        cross_value=matrices[f"{name}/encoder_attn/v_proj"],
        cross_out=matrices[f"{name}/encoder_attn/o_proj"],
        feed_norm=norms[f"{name}/final_layernorm"],
        expand=matrices[f"{name}/mlp/fc1"],
        contract=matrices[f"{name}/mlp/fc2"],
    )
