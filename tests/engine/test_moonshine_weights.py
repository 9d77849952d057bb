from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path

import onnxruntime
import pytest

from starling.core.errors import ModelUnavailable
from starling.engine.moonshine import load_model
from starling.engine.moonshine.weights import DECODER, ENCODER, TOKENIZER, read_weights, wheel_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the wheel's files: links, so that a test replaces only the one it is about."""
    for name in (ENCODER, DECODER, TOKENIZER):
        (tmp_path / name).symlink_to(wheel_folder() / name)
    return tmp_path


def test_the_wheel_has_the_expected_weights() -> None:
    weights = read_weights(wheel_folder())
    assert [len(weights.encoder), len(weights.decoder), len(weights.tokenizer)] == [13_281_600, 30_412_256, 249_974]


@pytest.mark.parametrize("name", [ENCODER, DECODER, TOKENIZER])
def test_a_missing_file_is_named_with_its_remedy(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelUnavailable, match=rf"{name}, got: No such file.* pip install .*moonshine-voice==0\.1\.0"):
        load_model(folder)


@pytest.mark.parametrize("name", [ENCODER, DECODER, TOKENIZER])
def test_a_damaged_file_is_named_with_its_remedy(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(ModelUnavailable, match=rf"{name} to have the sha256 .* damaged or of another version: pip install"):
        load_model(folder)


def test_a_half_written_file_is_refused(folder: Path) -> None:
    half = (folder / TOKENIZER).read_bytes()[:1000]
    (folder / TOKENIZER).unlink()
    (folder / TOKENIZER).write_bytes(half)
    with pytest.raises(ModelUnavailable, match="1000 bytes"):
        load_model(folder)


def test_a_wheel_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> importlib.machinery.ModuleSpec | None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(ModelUnavailable, match="found no moonshine-voice package: pip install"):
        load_model()


def test_another_onnxruntime_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "__version__", "1.31.1")
    with pytest.raises(
        ModelUnavailable, match=r"expected onnxruntime 1\.23\.2, found 1\.31\.1.* pip install onnxruntime==1\.23\.2"
    ):
        load_model()
