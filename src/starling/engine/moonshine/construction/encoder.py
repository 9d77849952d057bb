"""The encoder of Moonshine, written anew for audio that grows.

The shipped graph hears all of an utterance at each partial. Its first two convolutions look at 14 ms only, so what they make of
audio never changes, but for the norm between them, whose mean and variance are over all of the utterance. Such a norm is a scale
and an offset, and a convolution of those is again a scale and an offset: so the *ear* computes the second convolution of what is
not yet normed, its *echoes*, piece by piece as audio comes; the *encoder* norms echoes, which is cheap, and goes on from there.

Time is the first axis everywhere. A convolution is then the product of overlapping windows, side by side, with one matrix: rows
do not depend on each other, and nothing is transposed. Attention and rotation are onnxruntime's own operators.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from starling.engine.moonshine.construction.extraction import EncoderLayer, EncoderWeights
from starling.engine.moonshine.construction.graph import MICROSOFT, Graph
from starling.engine.moonshine.construction.rotation import HEAD, ROTATED, rotation
from starling.engine.moonshine.hearing import ECHO_WIDTH, LONGEST_FRAMES, STRIDE, WIDTH
from starling.engine.moonshine.options import Precision
from starling.engine.moonshine.rebuilt import HEADS

_ALIKE = 0.95
"""The correlation of neighbouring samples of speech at 16 kHz."""


def build_ear(weights: EncoderWeights, precision: Precision) -> bytes:
    """The graph from audio to echoes, as the bytes of an ``.onnx`` file.

    ``pieces``: the audio, STRIDE samples to a row, one row more than there are sounds (the results of the first convolution).
    ``sums`` and ``squares``: of each sound, over its channels.
    """
    graph = Graph(precision)
    pieces = graph.input("pieces", np.float32, ["pieces", STRIDE])
    graph.output("echoes", np.float32, ["echoes", ECHO_WIDTH])
    graph.output("sums", np.float32, ["sounds"])
    graph.output("squares", np.float32, ["sounds"])
    windows = graph.node("Concat", graph.cut(pieces, 0, -1), graph.cut(pieces, 1), axis=1)
    first = np.pad(_as_matrix(weights.first), ((0, 1), (0, 0)))  # a window is one sample shorter than two pieces
    sounds = graph.node("Tanh", graph.node("MatMul", windows, graph.constant(first)))
    graph.node("ReduceSum", sounds, graph.numbers(1), to="sums", keepdims=0)
    graph.node("ReduceSumSquare", sounds, graph.numbers(1), to="squares", keepdims=0)
    second = weights.second * weights.gain[:, np.newaxis]
    if precision is Precision.EXACT:
        matrix = graph.constant(_as_matrix(second))
        graph.node("MatMul", _windows(graph, sounds, WIDTH, stride=3, whole=2), matrix, to="echoes")
    else:
        _echo_in_int8(graph, sounds, second, _loudness(first, second))
    return graph.serialised()


def _echo_in_int8(graph: Graph, sounds: str, kernel: NDArray[np.float32], loudness: NDArray[np.float32]) -> None:
    """Echoes of whole numbers: a scale for each window, another for each column of the matrix.

    Each channel is divided by its ``loudness``, float32 ``[WIDTH]``, and its weights are multiplied by it, or the loud ones would
    leave the quiet ones no steps (Xiao et al. 2022, "SmoothQuant", arXiv:2211.10438).
    """
    sounds = graph.node("Mul", sounds, graph.constant(1 / loudness))
    largest = graph.node("ReduceMax", graph.node("Abs", sounds), graph.numbers(-1), keepdims=1)
    largest = graph.node("ReduceMax", _windows(graph, largest, 1, stride=3, whole=2), graph.numbers(-1), keepdims=1)
    windows = graph.whole_numbers(_windows(graph, sounds, WIDTH, stride=3, whole=2), largest)
    matrix = _as_matrix(kernel * loudness[:, np.newaxis])
    graph.node("Mul", graph.product_of_whole_numbers(windows, matrix), largest, to="echoes")


def _loudness(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """How loud each channel is of sound whose neighbouring samples are alike, as speech's are, against how large its weights are.

    ``first``: float32 ``[window, WIDTH]``; ``second``: ``[out, WIDTH, window]``.
    """
    places = np.arange(len(first))
    alike = _ALIKE ** np.abs(places[:, np.newaxis] - places)
    loud = np.sqrt(np.einsum("ic,ij,jc->c", first, alike, first))
    weight = np.abs(second).max(axis=(0, 2))
    ratio: NDArray[np.float32] = np.sqrt(loud / np.maximum(weight, weight.max() / 1000))
    # Rounded, so that machines whose sums differ in last bits agree on all the whole numbers that are made of it.
    return np.asarray((ratio / ratio.mean()).astype(np.float16), np.float32)


def build_encoder(weights: EncoderWeights, precision: Precision) -> bytes:
    """The graph from echoes to states, as the bytes of an ``.onnx`` file.

    ``scale`` and ``offset``: what the norm multiplies sounds with, and then adds.
    """
    graph = Graph(precision)
    echoes = graph.input("echoes", np.float32, ["echoes", ECHO_WIDTH])
    scale = graph.input("scale", np.float32, [1])
    offset = graph.input("offset", np.float32, [1])
    graph.output("states", np.float32, [1, "frames", WIDTH])
    of_offset = np.einsum("oiw,i->o", weights.second, weights.gain)
    of_shift = np.einsum("oiw,i->o", weights.second, weights.shift) + weights.second_bias
    bias = graph.node("Add", graph.node("Mul", graph.constant(of_offset), offset), graph.constant(of_shift))
    normed = graph.node("BiasGelu", graph.node("Mul", echoes, scale), bias, domain=MICROSOFT)
    third = graph.constant(_as_matrix(weights.third))
    heard = graph.node("MatMul", _windows(graph, normed, ECHO_WIDTH, stride=2, whole=1), third)
    heard = graph.node("BiasGelu", heard, graph.constant(weights.third_bias), domain=MICROSOFT)
    state = graph.node("Unsqueeze", heard, graph.numbers(0))
    angles = rotation(graph, LONGEST_FRAMES)
    for layer in weights.layers:
        state = graph.node("Add", state, _attended(graph, layer, state, angles))
        state = graph.node("Add", state, _fed(graph, layer, state))
    graph.node("LayerNormalization", state, graph.constant(weights.norm), to="states", axis=-1, epsilon=1e-5)
    return graph.serialised()


def _as_matrix(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """``[out, in, window]`` as ``[window * in, out]``."""
    return kernel.transpose(2, 1, 0).reshape(-1, len(kernel))


def _windows(graph: Graph, rows: str, width: int, *, stride: int, whole: int) -> str:
    """All windows of ``whole`` strides and one row more, a stride apart, of ``rows`` (float32 ``[n, width]``)."""
    last = graph.cut(rows, whole * stride, step=stride)
    count = graph.length(last)
    enough = graph.node("Mul", graph.node("Add", count, graph.numbers(whole - 1)), graph.numbers(stride))
    strides = graph.node("Reshape", graph.cut(rows, 0, enough), graph.numbers(-1, stride * width))
    parts = [graph.cut(strides, start, graph.node("Add", count, graph.numbers(start))) for start in range(whole)]
    return graph.node("Concat", *parts, last, axis=1)


def _attended(graph: Graph, layer: EncoderLayer, state: str, angles: tuple[str, str]) -> str:
    packed = graph.linear(_norm(graph, state, layer.self_norm), layer.query, layer.key, layer.value)
    query, key, value = graph.nodes("Split", packed, to=[f"{packed}.{number}" for number in range(3)], axis=-1, num_outputs=3)
    start = graph.numbers(0)
    query, key = (
        graph.node(
            "RotaryEmbedding", part, start, *angles,
            domain=MICROSOFT, interleaved=1, num_heads=HEADS, rotary_embedding_dim=ROTATED,
        )
        for part in (query, key)
    )  # fmt: skip
    attended = graph.node("MultiHeadAttention", query, key, value, domain=MICROSOFT, num_heads=HEADS, scale=1 / math.sqrt(HEAD))
    return graph.linear(attended, layer.out)


def _fed(graph: Graph, layer: EncoderLayer, state: str) -> str:
    expanded = graph.linear(_norm(graph, state, layer.feed_norm), layer.expand)
    return graph.linear(graph.node("Gelu", expanded, domain=MICROSOFT), layer.contract)


def _norm(graph: Graph, state: str, gain: NDArray[np.float32]) -> str:
    return graph.node("LayerNormalization", state, graph.constant(gain), axis=-1, epsilon=1e-5)
