"""The protocols of sherpa-onnx's two WebSocket servers, which use the same port (``docs/protocols/sherpa-onnx.md``)."""

from __future__ import annotations

from typing import Final

from starling.core.errors import StarlingError
from starling.protocols.dialects import Dialect, Refusal, plain_refusal
from starling.protocols.sherpa.adapter import SherpaAdapter


def _refusal(error: StarlingError) -> Refusal:
    return Refusal(plain_refusal(error).body, {"Hint": error.message.encode("ascii", "replace").decode()})


SHERPA: Final = Dialect(name="sherpa-onnx", adapter=SherpaAdapter, port=6006, refusal=_refusal)
