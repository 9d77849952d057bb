from __future__ import annotations

from pathlib import Path

import pytest

from starling.cli.selftest import check_recognition
from starling.config.doctor import Status

pytestmark = pytest.mark.model


def test_the_sample_is_heard() -> None:
    check = check_recognition()
    assert (check.status, check.remedy) == (Status.OK, "")
    assert "word error rate" in check.detail


def test_a_model_that_serves_otherwise_than_it_should_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "cache"
    blocked.write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    check = check_recognition()
    assert check.status is Status.WARN
    assert "word error rate" in check.detail
    assert str(blocked) in check.detail
    assert check.remedy
