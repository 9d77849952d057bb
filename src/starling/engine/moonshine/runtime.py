"""How onnxruntime is used: one version, one thread, no spinning."""

from __future__ import annotations

import onnxruntime
from onnxruntime import InferenceSession, SessionOptions  # type: ignore[attr-defined]  # it exports them without saying so

from starling.core.errors import ModelUnavailable

ONNXRUNTIME = "1.23.2"
"""The version the model's texts were measured with. The int8 kernels of others round differently: 2 of 32 texts changed."""


def check_onnxruntime() -> None:
    """Raises ModelUnavailable for another onnxruntime than the one the model was measured with.

    This is a refusal and not a warning: hosts of one installation must agree on a text, and nobody reads warnings.
    """
    if onnxruntime.__version__ != ONNXRUNTIME:
        raise ModelUnavailable(
            f"expected onnxruntime {ONNXRUNTIME}, found {onnxruntime.__version__}, which gives other texts: "
            f"pip install onnxruntime=={ONNXRUNTIME}"
        )


def open_session(model: bytes) -> InferenceSession:
    """A session on ``model``, the bytes of a ``.ort`` or ``.onnx`` file."""
    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False  # it keeps a plan for each length of audio it ever saw
    options.log_severity_level = 4  # an error reaches the caller as an exception; onnxruntime would also print it
    return InferenceSession(model, options, providers=["CPUExecutionProvider"])
