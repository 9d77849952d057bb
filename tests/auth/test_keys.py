"""Keys: made, recognised, hashed, kept, revoked; never told."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from starling.auth import keys
from starling.auth.keyfile import MAX_FILE, KeyFile, KeyRecord, changing, keys_path, read_keyfile
from starling.auth.keyring import Keyring
from starling.auth.tenants import Feature, Tenant, read_features
from starling.core.errors import InvalidOption, KeysUnavailable, Unauthenticated
from starling.core.load import Priority


def add(path: Path, name: str = "desk", tenant: str = "acme", *, operator: bool = False) -> tuple[str, str]:
    """A key in the file, and its id."""
    token, key = keys.mint()
    record = KeyRecord(key_id=key.key_id, name=name, tenant=tenant, digest=key.digest, created="2026-01-01", operator=operator)
    with changing(path) as change:
        change.content = replace(change.content, keys=(*change.content.keys, record))
    return token, key.key_id


@given(st.integers(min_value=0, max_value=len(keys.mint()[0]) - 1), st.sampled_from(keys.ALPHABET + "_ é"))
def test_a_typing_error_is_told_from_an_unknown_key(place: int, wrong: str) -> None:
    token, key = keys.mint()
    assert keys.read(token) == key
    typed = token[:place] + wrong + token[place + 1 :]
    if typed != token:
        with pytest.raises(Unauthenticated, match=r"copy the whole key") as raised:
            keys.read(typed)
        assert key.key_id not in raised.value.message


@pytest.mark.parametrize("token", ["", "stl_", "x" * 10_000_000, "stl_" + "a" * 12 + "_" + "a" * 49 + "\n", "sk-other"])
def test_what_is_no_key_is_refused_without_being_quoted(token: str) -> None:
    with pytest.raises(Unauthenticated) as raised:
        keys.read(token)
    assert len(raised.value.message) < 200


def test_keys_are_all_different_and_only_their_hash_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "keys.json"
    tokens = [add(path)[0] for _ in range(20)]
    assert len(set(tokens)) == 20
    text = path.read_text()
    assert not any(token in text or token[17:60] in text for token in tokens)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir() if found.suffix == ".new"] == []


def test_a_key_says_for_whom_it_speaks(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    token, key_id = add(path, tenant="acme", operator=True)
    with changing(path) as change:
        change.content = change.content.with_tenant(Tenant(name="acme", priority=Priority.LOW, max_sessions=3))
    principal = Keyring(path).authenticate(token)
    assert (principal.tenant.name, principal.tenant.max_sessions, principal.tenant.priority) == ("acme", 3, Priority.LOW)
    assert (principal.key_id, principal.operator) == (key_id, True)


def test_a_change_is_heeded_at_the_next_request(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ring = Keyring(path)
    assert ring.empty
    token, key_id = add(path)
    assert ring.authenticate(token).tenant.name == "acme"
    assert ring.knows(key_id)
    with changing(path) as change:
        change.content = KeyFile()
    assert not ring.knows(key_id)
    with pytest.raises(Unauthenticated, match="not known here"):
        ring.authenticate(token)


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys.json"
    token, _ = add(path)
    ring = Keyring(path)
    ring.authenticate(token)
    monkeypatch.setattr("starling.auth.keyring.read_keyfile", lambda _: pytest.fail("read again"))
    ring.authenticate(token)


def test_the_right_id_with_another_secret_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    token, key_id = add(path)
    body = f"stl_{key_id}_{'0' * keys.SECRET_LENGTH}"
    with pytest.raises(Unauthenticated):
        Keyring(path).authenticate(body + keys._check(body))
    Keyring(path).authenticate(token)


RECORD = {"key_id": "a", "name": "a", "tenant": "a", "digest": "0" * 64, "created": ""}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "",
        '{"keys": [{"name": "x"}]}',
        '{"tenants": [{"name": "a b"}]}',
        '{"tenants":[{"name":"a","max_sessions":-1}]}',
        '{"version":2}',
        '{"what is this":' + "[" * 100_000 + "]" * 100_000 + "}",
        json.dumps({"keys": [RECORD | {"digest": "é" * 64}]}),
        json.dumps({"keys": [RECORD | {"digest": ""}]}),
        " " * (MAX_FILE + 1) + "{}",
    ],
    ids=lambda text: text[:24],
)
def test_a_file_that_cannot_be_read_lets_nobody_in_until_it_can(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys.json"
    token, _ = add(path)
    ring = Keyring(path)
    good = path.read_text()
    path.write_text(text)
    for _ in range(3):
        with pytest.raises(KeysUnavailable) as refused:
            ring.authenticate(token)
        assert str(tmp_path) not in refused.value.message, "strangers learn where the file is"
    assert caplog.text.count("API keys unavailable") == 1
    path.write_text(good)
    ring.authenticate(token)


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to(path), lambda path: path.symlink_to("/dev/zero")]
)
def test_what_is_no_file_keeps_nobody_waiting(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "keys.json"
    make(path)
    with pytest.raises(InvalidOption, match=r"keys\.json"):
        read_keyfile(path)


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    threads = [threading.Thread(target=lambda: [add(path) for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({record.key_id for record in read_keyfile(path).keys}) == 40


def test_a_failed_change_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    add(path)
    before = path.read_text()
    with pytest.raises(InvalidOption), changing(path):
        raise InvalidOption("no")
    assert path.read_text() == before
    assert json.loads(before)["keys"][0]["name"] == "desk"


def test_where_the_file_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert keys_path("~/.config/starling/keys.json") == tmp_path / "starling" / "keys.json"
    assert keys_path("/etc/keys.json") == Path("/etc/keys.json")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert keys_path("~/.config/starling/keys.json") == Path("/home/ada/.config/starling/keys.json")


def test_features() -> None:
    assert read_features("all") is None
    assert read_features("none") == ()
    assert read_features("words, hotwords") == (Feature.WORDS, Feature.HOTWORDS)
    assert Tenant(name="a").may(Feature.WORDS)
    assert not Tenant(name="a", features=()).may(Feature.WORDS)
    with pytest.raises(InvalidOption, match="got 'wrods'"):
        read_features("wrods")
