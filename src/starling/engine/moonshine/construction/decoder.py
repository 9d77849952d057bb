"""The decoder of Moonshine, written anew for serving.

What the shipped graph lacks and this one has: rows of unequal length in one batch; several tokens in one pass at any length; keys
and values appended in place; the best tokens and their log-probabilities instead of 32768 logits; where in the audio the decoder
looked. Its mathematics is that of the shipped graph, and so are its int8 products.

Attention to what was written is onnxruntime's GroupQueryAttention: it rotates queries and keys by position, writes keys and
values into the caller's buffers, and handles each row with its own length, so a row's numbers do not depend on the length of
others. It wants heads of a multiple of 16 dimensions: those of 36 are filled up with zeros, which adds nothing to a product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from starling.engine.moonshine.construction.extraction import LAYERS, DecoderWeights, Layer, Quantised
from starling.engine.moonshine.construction.graph import MICROSOFT, Graph
from starling.engine.moonshine.construction.rotation import HEAD, rotation
from starling.engine.moonshine.options import Precision
from starling.engine.moonshine.rebuilt import HEAD_ROOM, HEADS, LONGEST

_ALIGNING = range(3, 6)
"""The layers whose attention follows the audio; the first three look anywhere."""


def build_decoder(weights: DecoderWeights, precision: Precision, *, by_row: bool) -> bytes:
    """The graph that ``rebuilt.Transcription`` runs, as the bytes of an ``.onnx`` file.

    ``by_row``: whether in int8 each row has a scale of its own, so that rows know nothing of each other, for a little more work.
    """
    graph = Graph(precision)
    tokens = graph.input("tokens", np.int64, ["rows", "n"])
    graph.input("last", np.int32, ["rows"])
    graph.input("longest", np.int32, [1])
    choices = graph.input("choices", np.int64, [1])
    graph.input("cross_mask", np.float32, ["utterances", 1, 1, "frames"])
    for layer in range(LAYERS):
        for part in ("key", "value"):
            past: list[str | int] = ["rows", HEADS, "capacity", HEAD_ROOM]
            graph.input(f"past_{part}.{layer}", np.float32, past)
            graph.output(f"present_{part}.{layer}", np.float32, past)
        graph.input(f"cross_key.{layer}", np.float32, ["utterances", HEADS, HEAD, "frames"])
        graph.input(f"cross_value.{layer}", np.float32, ["utterances", HEADS, "frames", HEAD])
    graph.output("best", np.int64, ["rows", "n", "choices"])
    graph.output("log_probability", np.float32, ["rows", "n", "choices"])
    graph.output("attention", np.float32, ["utterances", "readings", "frames"])

    linear = graph.linear_by_row if by_row else graph.linear
    layer_graph = _LayerGraph(graph, linear)
    state = _embed(graph, tokens, weights.embedding)
    for number, layer_weights in enumerate(weights.layers):
        state = layer_graph.add(number, layer_weights, state)
    logits = linear(_norm(graph, state, weights.norm), weights.head)
    _choose(graph, logits, choices)
    _look(graph, layer_graph.attentions)
    return graph.serialised()


def build_cross(weights: DecoderWeights, precision: Precision) -> bytes:
    """The graph that makes keys and values of the encoder's states, once for each utterance.

    Keys are scaled by 1 / sqrt(HEAD) here, so that no query needs to be.
    """
    graph = Graph(precision)
    states = graph.input("states", np.float32, [1, "frames", HEADS * HEAD])
    by_heads = graph.numbers(0, 0, HEADS, HEAD)
    for number, layer in enumerate(weights.layers):
        key = Quantised(layer.cross_key.values, layer.cross_key.scale / math.sqrt(HEAD), layer.cross_key.zero_point)
        both = graph.linear(states, key, layer.cross_value)
        keys, values = graph.nodes("Split", both, to=[f"keys.{number}", f"values.{number}"], axis=-1, num_outputs=2)
        graph.node("Transpose", graph.node("Reshape", keys, by_heads), to=f"cross_key.{number}", perm=[0, 2, 3, 1])
        graph.node("Transpose", graph.node("Reshape", values, by_heads), to=f"cross_value.{number}", perm=[0, 2, 1, 3])
        graph.output(f"cross_key.{number}", np.float32, [1, HEADS, HEAD, "frames"])
        graph.output(f"cross_value.{number}", np.float32, [1, HEADS, "frames", HEAD])
    return graph.serialised()


class _LayerGraph:
    """Adds layers to a graph, whose products are ``linear``; ``attentions``: each aligning layer's attention."""

    def __init__(self, graph: Graph, linear: Callable[..., str]) -> None:
        self._graph = graph
        self._linear = linear
        self.attentions: list[str] = []
        self._cosines, self._sines = rotation(graph, LONGEST)
        # The rows of an utterance, such as the hypotheses of a beam, are so many queries to the same keys and values.
        utterances = graph.node("Shape", "cross_mask", start=0, end=1)
        self._by_utterance = graph.node("Concat", utterances, graph.numbers(-1, HEADS, HEAD), axis=0)
        self._by_row = graph.node("Concat", graph.node("Shape", "tokens"), graph.numbers(HEADS * HEAD), axis=0)

    def add(self, number: int, layer: Layer, state: str) -> str:
        state = self._graph.node("Add", state, self._written(number, layer, state))
        state = self._graph.node("Add", state, self._heard(number, layer, state))
        return self._graph.node("Add", state, self._feed(layer, state))

    def _written(self, number: int, layer: Layer, state: str) -> str:
        """Attention to the tokens read so far."""
        graph = self._graph
        projections = [_spaced_columns(matrix) for matrix in (layer.query, layer.key, layer.value)]
        packed = self._linear(_norm(graph, state, layer.self_norm), *projections)
        attended, *_ = graph.nodes(
            "GroupQueryAttention",
            packed, "", "", f"past_key.{number}", f"past_value.{number}", "last", "longest", self._cosines, self._sines,
            to=[f"written.{number}", f"present_key.{number}", f"present_value.{number}"],
            domain=MICROSOFT, num_heads=HEADS, kv_num_heads=HEADS, scale=1 / math.sqrt(HEAD), do_rotary=1, rotary_interleaved=1,
        )  # fmt: skip
        return self._linear(attended, _spaced_rows(layer.out))

    def _heard(self, number: int, layer: Layer, state: str) -> str:
        """Attention to the encoder's states."""
        graph = self._graph
        query = self._linear(_norm(graph, state, layer.cross_norm), layer.cross_query)
        query = graph.node("Transpose", graph.node("Reshape", query, self._by_utterance), perm=[0, 2, 1, 3])
        scores = graph.node("Add", graph.node("MatMul", query, f"cross_key.{number}"), "cross_mask")
        attention = graph.node("Softmax", scores, axis=-1)
        if number in _ALIGNING:
            self.attentions.append(attention)
        attended = graph.node("Transpose", graph.node("MatMul", attention, f"cross_value.{number}"), perm=[0, 2, 1, 3])
        return self._linear(graph.node("Reshape", attended, self._by_row), layer.cross_out)

    def _feed(self, layer: Layer, state: str) -> str:
        """The gated linear unit (Shazeer 2020, "GLU Variants Improve Transformer", arXiv:2002.05202)."""
        graph = self._graph
        expanded = self._linear(_norm(graph, state, layer.feed_norm), layer.expand)
        name = f"{expanded}.split"
        up, gate = graph.nodes("Split", expanded, to=[f"{name}.up", f"{name}.gate"], axis=-1, num_outputs=2)
        gated = graph.node("Mul", up, graph.node("QuickGelu", gate, domain=MICROSOFT, alpha=1.0))
        return self._linear(gated, layer.contract)


def _embed(graph: Graph, tokens: str, embedding: Quantised) -> str:
    """Float32 ``[rows, n, 288]``."""
    rows = graph.node("Gather", graph.constant(embedding.values), tokens)
    scale, zero_point = np.array(embedding.scale, np.float32), np.array(embedding.zero_point, np.uint8)
    return graph.node("DequantizeLinear", rows, graph.constant(scale), graph.constant(zero_point))


def _norm(graph: Graph, state: str, gain: NDArray[np.float32]) -> str:
    return graph.node("LayerNormalization", state, graph.constant(gain), axis=-1, epsilon=1e-5)


def _choose(graph: Graph, logits: str, choices: str) -> None:
    """The best tokens, by logit, and the logarithms of their probabilities."""
    graph.nodes("TopK", logits, choices, to=["best_logits", "best"], axis=-1)
    graph.node("GatherElements", graph.node("LogSoftmax", logits, axis=-1), "best", to="log_probability", axis=-1)


def _look(graph: Graph, attentions: Sequence[str]) -> None:
    """The mean over layers and heads. Added element by element: a reduction adds up in another order where rows end elsewhere."""
    over_layers = graph.node("Mean", *attentions)
    heads = graph.nodes("Split", over_layers, to=[f"head.{number}" for number in range(HEADS)], axis=1, num_outputs=HEADS)
    graph.node("Squeeze", graph.node("Mean", *heads), graph.numbers(1), to="attention")


def _spaced_columns(matrix: Quantised) -> Quantised:
    """``[k, HEADS * HEAD]`` as ``[k, HEADS * HEAD_ROOM]``, with zeros after each head."""
    values = np.full((len(matrix.values), HEADS, HEAD_ROOM), matrix.zero_point, np.uint8)
    values[:, :, :HEAD] = matrix.values.reshape(-1, HEADS, HEAD)
    return Quantised(values.reshape(len(values), -1), matrix.scale, matrix.zero_point)


def _spaced_rows(matrix: Quantised) -> Quantised:
    """``[HEADS * HEAD, n]`` as ``[HEADS * HEAD_ROOM, n]``, with zeros after each head."""
    columns = matrix.values.shape[1]
    values = np.full((HEADS, HEAD_ROOM, columns), matrix.zero_point, np.uint8)
    values[:, :HEAD] = matrix.values.reshape(HEADS, HEAD, columns)
    return Quantised(values.reshape(-1, columns), matrix.scale, matrix.zero_point)
