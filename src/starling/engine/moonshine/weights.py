"""The weights of Moonshine tiny-en as they lie inside the moonshine-voice wheel.

The wheel's Python package is located, never imported: its import loads native code that Starling has no use for.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from starling.core.errors import ModelUnavailable

ENCODER = "encoder_model.ort"
DECODER = "decoder_model_merged.ort"
TOKENIZER = "tokenizer.bin"

SHA256 = {
    ENCODER: "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
    DECODER: "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
    TOKENIZER: "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
}
"""The files that were measured and tested, by name. The wheels of moonshine-voice 0.0.49 and 0.1.0 have them, 0.1.5 has not."""

_REMEDY = "pip install --force-reinstall moonshine-voice==0.1.0"


@dataclass(frozen=True, slots=True)
class Weights:
    """The three files, as bytes whose checksums were right: what was checked is what gets loaded."""

    encoder: bytes
    decoder: bytes
    tokenizer: bytes


def wheel_folder() -> Path:
    """Where the installed wheel keeps the model. Raises ModelUnavailable when it is not installed."""
    spec = importlib.util.find_spec("moonshine_voice")
    if spec is None or spec.origin is None:
        raise ModelUnavailable(f"expected the weights of Moonshine tiny-en, found no moonshine-voice package: {_REMEDY}")
    return Path(spec.origin).parent / "assets" / "tiny-en"


def read_weights(folder: Path) -> Weights:
    """Read and check the files in ``folder``. Raises ModelUnavailable when one is missing, unreadable or not the expected one."""
    return Weights(encoder=_read(folder / ENCODER), decoder=_read(folder / DECODER), tokenizer=_read(folder / TOKENIZER))


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelUnavailable(
            f"expected the weights of Moonshine tiny-en at {path}, got: {error.strerror}: {_REMEDY}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    expected = SHA256[path.name]
    if found != expected:
        raise ModelUnavailable(
            f"expected {path} to have the sha256 {expected}, got {found} ({len(content)} bytes); "
            f"the file is damaged or of another version: {_REMEDY}"
        )
    return content
