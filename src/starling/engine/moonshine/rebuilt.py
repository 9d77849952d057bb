"""The rebuilt graphs, run by onnxruntime on buffers that the caller owns."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, OrtValue  # type: ignore[attr-defined]  # it exports them without saying so

from starling.core.audio import Samples
from starling.engine.moonshine.decoding import Choices
from starling.engine.moonshine.graphs import Encoding
from starling.engine.moonshine.hearing import Echoes, GrowingEncoder
from starling.engine.moonshine.runtime import open_session
from starling.engine.moonshine.tokens import END

HEADS = 8

HEAD_ROOM = 48
"""Numbers that a head's key or value takes in the buffers: 36, filled up with zeros."""

LONGEST = 256
"""Tokens that fit into one utterance, BEGIN included; 30 s hold 195."""

_LAYERS = 6
_CROSS = [f"cross_{part}.{layer}" for layer in range(_LAYERS) for part in ("key", "value")]
_PAST = [f"past_{part}.{layer}" for layer in range(_LAYERS) for part in ("key", "value")]
_PRESENT = [f"present_{part}.{layer}" for layer in range(_LAYERS) for part in ("key", "value")]
_MASKED = np.float32(-1e9)
_FRAMES = 64
_BATCH = 4

_KEPT = (1, 4)
"""For how many rows room is kept from one transcription to the next: those of a partial, and of a final that is alone."""


class RebuiltGraphs:
    """Encoder and decoder; ``ear``, ``encoder``, ``cross``, ``decoder`` and ``searcher`` are the bytes of their files.

    ``searcher``: a decoder for searches whose rows know nothing of each other; None where those of ``decoder`` do not either.

    Rows must not depend on each other to the bit. The int8 searcher scales each by its own largest number, and sums of whole
    numbers are the same in whatever order. Elsewhere, and everywhere when the graphs are ``steady``, that is, compute in floats,
    onnxruntime adds up in another order when a matrix has one row only, and when the length of a sum is no multiple of a few
    vectors. So a multiple of 64 frames is heard, and steady transcriptions have at least two rows, and read at least two tokens
    at first. Searches share passes in int8 only. The int8 decoder takes its scale from all rows, which is cheaper for one of
    them, so its utterances are decoded one at a time.
    """

    def __init__(
        self, *, ear: bytes, encoder: bytes, cross: bytes, decoder: bytes, searcher: bytes | None = None, steady: bool
    ) -> None:
        self._encoder = GrowingEncoder(ear, encoder)
        self._cross = open_session(cross)
        self._decoder = open_session(decoder)
        self._searcher = self._decoder if searcher is None else open_session(searcher)
        self._steady = steady
        self._greedy_rooms, self._beam_rooms = Rooms(self._decoder), Rooms(self._searcher)

    @property
    def batch_size(self) -> int:
        return _BATCH if self._steady else 1

    @property
    def shared(self) -> bool:
        """Whether searches may share passes without changing their texts."""
        return not self._steady

    def hear(self, audio: Samples | NDArray[np.float32], echoes: Echoes | None = None) -> Encoding:
        """Encode ``audio``, int16 ``[n]``, or float32 from -1 to 1, n >= SHORTEST, and make the decoder's keys and values of it.

        ``echoes``: those of an earlier call, for a beginning of the same audio; what they hold is not heard again. The arrays
        are, for each layer, keys, float32 ``[1, 8, 36, t]``, and values, ``[1, 8, t, 36]``.
        """
        states = self._encoder.encode(audio, echoes)
        frames = states.shape[1]
        filled = np.zeros((1, frames + -frames % _FRAMES, states.shape[2]), np.float32)
        filled[:, :frames] = states
        arrays = cast("list[NDArray[np.float32]]", self._cross.run(_CROSS, {"states": filled}))
        return Encoding(arrays, frames)

    def begin(self, encodings: Sequence[Encoding], *, capacity: int, attention: bool = False) -> Transcription:
        """Start to write down what was heard, a row for each encoding, of up to ``capacity`` tokens (at most LONGEST).

        ``attention``: whether answers say where the decoder looked.
        """
        asked = len(encodings)
        if self._steady and asked == 1:
            encodings = [*encodings, *encodings]
        least = 2 if self._steady else 1
        return Transcription(self._greedy_rooms, encodings, asked, capacity=capacity, least=least, attention=attention)

    def begin_beam(self, heard: Sequence[Encoding], *, width: int, capacity: int, attention: bool = False) -> Transcription:
        """Start to write down utterances, or views of one, in a row for each, of which ``select`` may make up to ``width``.

        Rows of an utterance stand together, utterances in the order given, and have equally many rows.
        """
        return Transcription(self._beam_rooms, heard, len(heard) * width, capacity=capacity, least=1, attention=attention)


class Room:
    """Keys and values of up to ``rows`` texts of up to ``capacity`` tokens, and what binds them and all else to ``session``.

    ``attention``: whether an array for it is bound. One that was never can be bound, and none that was can be left out.
    """

    def __init__(self, session: InferenceSession, rows: int, capacity: int, *, attention: bool) -> None:
        self.session = session
        self.rows, self.attention = rows, attention
        self.past = np.empty((2 * _LAYERS, rows, HEADS, capacity, HEAD_ROOM), np.float32)
        self.binding: Any = session.io_binding()
        self._buffers: dict[int, list[OrtValue]] = {}
        self._bound = 0

    def bind(self, rows: int) -> None:
        """Let the graph read and write the keys and values of the first ``rows`` texts, in place."""
        if self._bound == rows:
            return
        if (buffers := self._buffers.get(rows)) is None:
            buffers = self._buffers[rows] = [OrtValue.ortvalue_from_numpy(layer) for layer in self.past[:, :rows]]
        for past, present, buffer in zip(_PAST, _PRESENT, buffers, strict=True):
            self.binding.bind_ortvalue_input(past, buffer)
            self.binding.bind_ortvalue_output(present, buffer)
        self._bound = rows


class Rooms:
    """Rooms for ``session``. Those of the usual sizes are used again, as making and binding one for each decode takes CPU."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._idle: dict[tuple[int, bool], deque[Room]] = {
            (rows, attention): deque(maxlen=1) for rows in _KEPT for attention in (False, True)
        }

    def take(self, rows: int, capacity: int, *, attention: bool) -> Room:
        """One of that size or larger that nobody else has. What is in it means nothing."""
        if (idle := self._idle.get((rows, attention))) is None:
            return Room(self._session, rows, capacity, attention=attention)
        try:
            return idle.pop()
        except IndexError:
            return Room(self._session, rows, LONGEST, attention=attention)

    def give(self, room: Room) -> None:
        """Nobody looks into ``room`` any more."""
        if (idle := self._idle.get((room.rows, room.attention))) is not None:
            idle.append(room)


class Transcription:
    """Rows of text in the making, as the keys and values that the decoder made of them.

    Everything the graph reads and writes is an array of this object or its room, bound once for each shape; a step changes them
    in place.
    """

    def __init__(
        self,
        rooms: Rooms,
        encodings: Sequence[Encoding],
        asked: int,
        *,
        capacity: int,
        least: int,
        attention: bool,
    ) -> None:
        """``asked``: the rows that the caller knows of, at most; ``least``: tokens in the first pass, at least."""
        self._asked = asked
        self._least = least
        self._lengths = [0] * len(encodings)
        self._cross, self._mask = _packed(encodings)
        self._shape = (0, 0, 0)
        self._rooms = rooms
        self._room = rooms.take(max(asked, len(encodings)), max(capacity, least), attention=attention)
        self._bind_inputs({"cross_mask": self._mask, **dict(zip(_CROSS, self._cross, strict=True))})

    def __del__(self) -> None:
        if (room := getattr(self, "_room", None)) is not None:
            self._rooms.give(room)

    def read(self, rows: Sequence[Sequence[int]], *, choices: int = 1) -> Choices:
        """Read the next tokens of each row in one pass, and say the best ``choices`` after each.

        Several tokens to a row, or unequally many, only in the first pass.
        """
        first = not any(self._lengths)
        width = max(map(len, rows))
        if first:
            width = max(width, self._least)
        if len(self._lengths) > len(rows):
            rows = [*rows, *rows]
        self._bind(width, choices)
        self._tokens[:] = [[*row, *[END] * (width - len(row))] for row in rows]
        self._lengths = [length + len(row) for length, row in zip(self._lengths, rows, strict=True)]
        self._last[:] = [length - 1 for length in self._lengths]
        # In the first pass the operator wants the width of the batch here, and skips what is past each row's own end.
        self._longest[0] = width if first else max(self._lengths)
        self._room.session.run_with_iobinding(self._room.binding)  # type: ignore[no-untyped-call]
        return self._answer

    def rewind(self, row: int, length: int) -> None:
        """Forget all but the first ``length`` tokens of ``row``."""
        self._lengths[row] = length
        for copy in range(self._asked, len(self._lengths)):
            self._lengths[copy] = length

    def select(self, rows: Sequence[int]) -> None:
        """Go on with these rows, in this order; a row may be there several times."""
        moved = [place for place, row in enumerate(rows) if place != row]
        if moved:
            written = self._lengths[0]
            past = self._room.past
            past[:, moved, :, :written] = past[:, [rows[place] for place in moved], :, :written]
        self._lengths = [self._lengths[row] for row in rows]

    def drop(self, utterances: Sequence[int]) -> list[int]:
        """Forget these utterances and their rows, but not all. The last ones take their places: who is where now."""
        count = len(self._mask)
        left = [place for place in range(count) if place not in utterances]
        movers = reversed(left)
        order = [place if place in left else next(movers) for place in range(len(left))]
        share = len(self._lengths) // count
        self.select([place * share + row for place in order for row in range(share)])
        arrays = [*self._cross, self._mask]
        for array in arrays:
            for place, mover in enumerate(order):
                if place != mover:
                    array[place] = array[mover]
        *self._cross, self._mask = (array[: len(order)] for array in arrays)
        self._shape = (0, 0, 0)
        self._bind_inputs({"cross_mask": self._mask, **dict(zip(_CROSS, self._cross, strict=True))})
        return order

    def _bind(self, width: int, choices: int) -> None:
        """Make and bind arrays for passes of ``width`` tokens; what was heard stays bound, keys and values too while rows do."""
        rows = len(self._lengths)
        if self._shape == (rows, width, choices):
            return
        self._shape = (rows, width, choices)
        self._tokens = np.empty((rows, width), np.int64)
        self._last = np.empty(rows, np.int32)
        self._longest = np.empty(1, np.int32)
        self._bind_inputs({"tokens": self._tokens, "last": self._last, "longest": self._longest, "choices": np.array([choices])})
        self._room.bind(rows)
        best = np.empty((rows, width, choices), np.int64)
        log_probabilities = np.empty((rows, width, choices), np.float32)
        outputs: dict[str, NDArray[Any]] = {"best": best, "log_probability": log_probabilities}
        looked = None
        if self._room.attention:
            utterances, *_, frames = self._mask.shape
            looked = outputs["attention"] = np.empty((utterances, rows // utterances * width, frames), np.float32)
        for name, array in outputs.items():
            self._room.binding.bind_ortvalue_output(name, OrtValue.ortvalue_from_numpy(array))
        asked = None if looked is None else looked.reshape(rows, width, -1)[: self._asked]
        self._answer = Choices(best[: self._asked], log_probabilities[: self._asked], asked)

    def _bind_inputs(self, inputs: Mapping[str, NDArray[Any]]) -> None:
        """Let the graph read these arrays, in place of what it read under their names. The binding keeps them."""
        for name, array in inputs.items():
            self._room.binding.bind_cpu_input(name, array)


def _packed(encodings: Sequence[Encoding]) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
    """Keys and values of all encodings as one batch, and the mask float32 ``[rows, 1, 1, t]`` of the frames that do not exist."""
    longest = max(encoding.arrays[0].shape[-1] for encoding in encodings)
    mask = np.zeros((len(encodings), 1, 1, longest), np.float32)
    for row, encoding in enumerate(encodings):
        mask[row, :, :, encoding.frames :] = _MASKED
    if len(encodings) == 1:
        return list(encodings[0].arrays), mask
    parts = zip(*(encoding.arrays for encoding in encodings), strict=True)
    return [_joined(arrays, axis, longest) for arrays, axis in zip(parts, itertools.cycle((3, 2)))], mask


def _joined(arrays: Sequence[NDArray[np.float32]], axis: int, length: int) -> NDArray[np.float32]:
    """``arrays`` one below the other, filled up with zeros to ``length`` along ``axis``."""
    shape = list(arrays[0].shape)
    shape[0], shape[axis] = len(arrays), length
    batch = np.zeros(shape, np.float32)
    for row, array in zip(batch, arrays, strict=True):
        row[(slice(None),) * (axis - 1) + (slice(array.shape[axis]),)] = array[0]
    return batch
