from __future__ import annotations

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from starling.audio.g711 import ALAW, MULAW


@pytest.mark.parametrize(("codec", "table"), [("pcm_mulaw", MULAW), ("pcm_alaw", ALAW)])
def test_all_256_codes_decode_as_ffmpeg_decodes_them(codec: str, table: NDArray[np.int16]) -> None:
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate = 8_000
    context.layout = "mono"
    (frame,) = context.decode(av.Packet(bytes(range(256))))
    np.testing.assert_array_equal(frame.to_ndarray()[0], table)


def test_the_extremes_are_those_of_the_recommendation() -> None:
    # Table 2a/1a of G.711 give 8031 (14 bits) and 4032 (13 bits); placed at the top of 16 bits.
    assert (MULAW.min(), MULAW.max()) == (-8031 * 4, 8031 * 4)
    assert (ALAW.min(), ALAW.max()) == (-4032 * 8, 4032 * 8)
    assert MULAW[0xFF] == MULAW[0x7F] == 0
