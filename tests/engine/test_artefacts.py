from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from starling.engine.moonshine.artefacts import Artefact, read_artefact, user_cache, write_artefact

ARTEFACT = st.builds(
    Artefact,
    st.dictionaries(st.text(max_size=5), st.binary(max_size=50), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(0, 1000), max_size=3),
)
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@SHARED
@given(ARTEFACT)
def test_what_was_written_is_read(tmp_path: Path, artefact: Artefact) -> None:
    path = tmp_path / "below" / "it"
    write_artefact(path, artefact)
    assert read_artefact(path) == artefact
    assert list(path.parent.iterdir()) == [path]


@SHARED
@given(ARTEFACT, st.data())
def test_a_file_that_is_cut_or_changed_is_not_read(tmp_path: Path, artefact: Artefact, data: st.DataObject) -> None:
    path = tmp_path / "it"
    write_artefact(path, artefact)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    path.write_bytes(content[:at])
    assert read_artefact(path) is None
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert read_artefact(path) is None


def test_a_file_that_is_not_there_is_not_read(tmp_path: Path) -> None:
    assert read_artefact(tmp_path / "nothing") is None
    assert read_artefact(tmp_path) is None


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "it"
    write_artefact(path, Artefact({"part": b"old"}, {}))

    def replace(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(OSError, match="No space"):
        write_artefact(path, Artefact({"part": b"new"}, {}))
    assert read_artefact(path) == Artefact({"part": b"old"}, {})
    assert list(tmp_path.iterdir()) == [path]


def test_the_user_chooses_where_caches_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for unset in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert user_cache() == tmp_path / ".cache" / "starling"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert user_cache() == tmp_path / "elsewhere" / "starling"


def test_a_draft_that_a_killed_writer_left_is_removed_and_one_in_the_making_is_not(tmp_path: Path) -> None:
    path, left, made = tmp_path / "it", tmp_path / ".it.left", tmp_path / ".it.made"
    for draft in (left, made):
        draft.write_bytes(b"half")
    os.utime(left, (0, 0))
    write_artefact(path, Artefact({}, {}))
    assert sorted(tmp_path.iterdir()) == [made, path]
