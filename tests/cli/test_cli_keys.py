"""``starling keys``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from starling.auth.keyring import Keyring
from starling.cli.entry import run
from starling.cli.exits import ExitCode
from starling.core.errors import Unauthenticated
from starling.core.load import Priority


@pytest.fixture(autouse=True)
def _somewhere_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STARLING_AUTH__KEYS_FILE", str(tmp_path / "keys.json"))


def created(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["keys", "create", *arguments]) == ExitCode.OK
    return capsys.readouterr().out.strip()


def test_a_key_is_shown_once_and_is_good_until_it_is_revoked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    token = created(capsys, "desk", "--tenant", "acme")
    ring = Keyring(tmp_path / "keys.json")
    principal = ring.authenticate(token)
    assert (principal.tenant.name, principal.operator) == ("acme", False)
    assert run(["keys", "list"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert principal.key_id in shown
    assert "normal priority" in shown
    assert token not in shown
    assert run(["keys", "list", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)[0]["name"] == "desk"
    assert run(["keys", "revoke", principal.key_id]) == ExitCode.OK
    with pytest.raises(Unauthenticated):
        ring.authenticate(token)
    assert run(["keys", "revoke", principal.key_id]) == ExitCode.USAGE


def test_limits_of_a_tenant(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    token = created(capsys, "desk", "--tenant", "trial", "--operator")
    limits = ["--priority", "low", "--max-sessions", "2", "--audio-per-minute", "90", "--audio-per-day", "3600"]
    assert run(["keys", "limit", "trial", *limits, "--features", "none"]) == ExitCode.OK
    principal = Keyring(tmp_path / "keys.json").authenticate(token)
    tenant = principal.tenant
    assert principal.operator
    assert (tenant.priority, tenant.max_sessions, tenant.features) == (Priority.LOW, 2, ())
    assert (tenant.audio_seconds_per_minute, tenant.audio_seconds_per_day) == (90, 3600)
    assert run(["keys", "limit", "trial", "--max-sessions", "0"]) == ExitCode.OK
    assert "low priority, 90 s of audio a minute" in capsys.readouterr().err
    assert run(["keys", "limit", "trial", "--features", "x-ray"]) == ExitCode.USAGE


@pytest.mark.parametrize("arguments", [["a b"], ["x", "--tenant", "é"], [""]])
def test_a_name_that_cannot_stand_in_a_table_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "create", *arguments]) == ExitCode.USAGE
    assert "name of at most 64" in capsys.readouterr().err


def test_the_first_key_says_that_servers_ask_for_keys_now(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run(["keys", "create", "desk"]) == ExitCode.OK
    assert "from its next start a server asks every client for a key, also on this machine" in capsys.readouterr().err
    assert run(["keys", "create", "phone"]) == ExitCode.OK
    assert "next start" not in capsys.readouterr().err
    assert run(["keys", "create", "desk", "--file", "others.json"]) == ExitCode.OK
    assert "if auth.keys_file is others.json" in capsys.readouterr().err
    (tmp_path / "keys.json").unlink()
    monkeypatch.setenv("STARLING_AUTH__MODE", "open")
    assert run(["keys", "create", "desk"]) == ExitCode.OK
    assert "auth.mode is open, so no server asks for keys" in capsys.readouterr().err
