from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from starling.config.groups.group import Group, setting
from starling.config.groups.recognition import EngineName
from starling.config.loading import build, load_settings
from starling.config.settings import Settings
from starling.config.sources import DEFAULT, Given, Source
from starling.config.tree import leaves
from starling.core.errors import InvalidOption
from starling.telemetry.logs import LogLevel

PORTS = {"file": 9001, ".env": 9002, "environment": 9003, "command line": 9004}
"""One port per source, lowest priority first."""


@given(st.sets(st.sampled_from(list(PORTS))))
def test_the_highest_source_wins_and_is_named(present: set[str]) -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        if "file" in present:
            (directory / "starling.toml").write_text(f"[server]\nport = {PORTS['file']}\n")
        if ".env" in present:
            (directory / ".env").write_text(f"STARLING_SERVER__PORT={PORTS['.env']}\n")
        loaded = load_settings(
            overrides={"server.port": PORTS["command line"] if "command line" in present else None},
            environ={"STARLING_SERVER__PORT": str(PORTS["environment"])} if "environment" in present else {},
            directory=directory,
        )
    winner = next((source for source in reversed(PORTS) if source in present), "default")
    assert loaded.settings.server.port == PORTS.get(winner, 8000)
    assert loaded.sources["server.port"].kind == winner
    assert {source for path, source in loaded.sources.items() if path != "server.port"} == {DEFAULT}


def test_sources_add_up(tmp_path: Path) -> None:
    (tmp_path / "starling.toml").write_text(
        '[server]\nport = 9001\nallowed_origins = ["https://a.example"]\n[gate]\nenabled = false\n'
    )
    (tmp_path / ".env").write_text("# mine\nexport STARLING_ENGINE__NAME='scripted'\nOTHER=1\n")
    settings = load_settings(
        overrides={"log.level": LogLevel.DEBUG},
        environ={"STARLING_SERVER__ALLOWED_HOSTS": "a.example, b.example,", "HOME": "/"},
        directory=tmp_path,
    ).settings
    assert settings.server.port == 9001
    assert settings.server.allowed_origins == ("https://a.example",)
    assert settings.server.allowed_hosts == ("a.example", "b.example")
    assert settings.gate.enabled is False
    assert settings.engine.name is EngineName.SCRIPTED
    assert settings.log.level is LogLevel.DEBUG


def test_without_sources_all_is_default(tmp_path: Path) -> None:
    loaded = load_settings(environ={}, directory=tmp_path)
    assert loaded.settings == Settings()
    assert [row.path for row in loaded.effective()] == list(leaves(Settings))
    assert {row.source for row in loaded.effective()} == {"default"}


@pytest.mark.parametrize("given_by", ["flag", "environment", ".env"])
def test_another_file_can_be_named(given_by: str, tmp_path: Path) -> None:
    (tmp_path / "starling.toml").write_text("[server]\nport = 1\n")
    (tmp_path / "other.toml").write_text("[server]\nport = 9005\n")
    if given_by == ".env":
        (tmp_path / ".env").write_text("STARLING_CONFIG=other.toml\n")
    loaded = load_settings(
        config_file=tmp_path / "other.toml" if given_by == "flag" else None,
        environ={"STARLING_CONFIG": "other.toml"} if given_by == "environment" else {},
        directory=tmp_path,
    )
    assert loaded.settings.server.port == 9005
    assert loaded.sources["server.port"] == Source("file", str(tmp_path / "other.toml"))


def test_effective_rows_show_value_and_source(tmp_path: Path) -> None:
    loaded = load_settings(environ={"STARLING_SERVER__ALLOWED_HOSTS": "a,b", "STARLING_GATE__ENABLED": "no"}, directory=tmp_path)
    rows = {row.path: row for row in loaded.effective()}
    assert rows["server.allowed_hosts"].value == '["a", "b"]'
    assert rows["gate.enabled"].value == "false"
    assert rows["log.level"].value == '"info"'
    assert rows["gate.enabled"].source == "environment STARLING_GATE__ENABLED"
    assert all(row.description for row in rows.values())


def test_the_tree_is_frozen() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.server.port = 1
    with pytest.raises(ValidationError):
        settings.server = settings.server


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("STARLING_SERVER__PORT", "x", "server.port: expected a whole number from 0 to 65535, got 'x'"),
        ("STARLING_SERVER__PORT", "65536", "server.port: expected a whole number from 0 to 65535, got '65536'"),
        ("STARLING_SERVER__PORT", "", "server.port: expected a whole number from 0 to 65535, got ''"),
        ("STARLING_SERVER__HOST", "", "server.host: expected a string, got ''"),
        ("STARLING_SERVER__IDLE_TIMEOUT", "inf", "server.idle_timeout: expected a number from 1 to 3600 (seconds), got 'inf'"),
        ("STARLING_SERVER__IDLE_TIMEOUT", "nan", "server.idle_timeout: expected a number from 1 to 3600 (seconds), got 'nan'"),
        ("STARLING_GATE__ENABLED", "perhaps", "gate.enabled: expected true or false, got 'perhaps'"),
        ("STARLING_LOG__LEVEL", "loud", "log.level: expected one of debug, info, warning, error, got 'loud'"),
        ("STARLING_SERVER", "x", "server: expected a table of settings, got a single value"),
    ],
)
def test_a_wrong_variable_is_named_with_what_was_expected(variable: str, value: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=f"^{re.escape(f'{problem} (source: environment {variable})')}$"):
        load_settings(environ={variable: value}, directory=tmp_path)


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ("[server]\nport = true", "server.port: expected a whole number from 0 to 65535, got True"),
        ("[session]\npartials = 7", "session.partials: expected true or false, got 7"),
        ("[server]\nallowed_hosts = [1]", "server.allowed_hosts: expected a list of strings, got [1]"),
        ("[server]\nallowed_hosts = [true]", "server.allowed_hosts: expected a list of strings, got [True]"),
        ("[server]\nport = 1.5", "server.port: expected a whole number from 0 to 65535, got 1.5"),
        ("server = 3", "server: expected a table of settings, got a single value"),
        ("[server]\nprot = 1", "server.prot: no such setting; did you mean server.port?"),
        ("[sever]\nport = 1", "sever.port: no such setting; did you mean server.port?"),
        ("[server.port]\nx = 1", "server.port.x: no such setting; did you mean server.port?"),
        ("[zzz]\nqqq = 1", "zzz.qqq: no such setting; docs/configuration.md lists them all"),
    ],
)
def test_a_wrong_line_of_the_file_is_named(toml: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "starling.toml"
    file.write_text(toml)
    with pytest.raises(InvalidOption) as refused:
        load_settings(environ={}, directory=tmp_path)
    assert str(refused.value) == f"{problem} (source: file {file})"


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption) as refused:
        load_settings(
            overrides={"server.port": "x"},
            environ={"STARLING_SERVER_PORT": "9000", "STARLING_GATE__ENABLED": "perhaps"},
            directory=tmp_path,
        )
    told = str(refused.value).splitlines()
    assert told[0] == (
        "server_port: no such setting; did you mean STARLING_SERVER__PORT? (source: environment STARLING_SERVER_PORT)"
    )
    assert [line.partition(":")[0] for line in told[1:]] == ["server.port", "gate.enabled"]
    assert told[1].endswith("(source: command line)")


def test_a_long_wrong_value_is_cut(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption) as refused:
        load_settings(environ={"STARLING_SERVER__PORT": "9" * 1000}, directory=tmp_path)
    assert len(str(refused.value)) < 200


def test_what_kubernetes_adds_is_not_ours(tmp_path: Path) -> None:
    links = {
        "STARLING_SERVICE_HOST": "10.0.0.1",
        "STARLING_SERVICE_PORT": "80",
        "STARLING_SERVICE_PORT_HTTP": "80",
        "STARLING_PORT": "tcp://10.0.0.1:80",
        "STARLING_PORT_80_TCP": "tcp://10.0.0.1:80",
        "STARLING_PORT_80_TCP_ADDR": "10.0.0.1",
        "STARLING_WEB_SERVICE_HOST": "10.0.0.2",
        "STARLING_WEB_PORT": "tcp://10.0.0.2:80",
    }
    assert load_settings(environ=links, directory=tmp_path).settings == Settings()
    with pytest.raises(InvalidOption, match="did you mean STARLING_SERVER__PORT"):
        load_settings(environ={"STARLING_SERVER_PORT": "80"}, directory=tmp_path)


def test_a_forgotten_group_is_found_by_the_name_of_the_setting(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"^port: no such setting; did you mean STARLING_SERVER__PORT"):
        load_settings(environ={"STARLING_PORT": "80"}, directory=tmp_path)


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", b"#" * 2_000_000])
def test_a_file_that_is_not_toml(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "starling.toml").write_bytes(content)
    with pytest.raises(InvalidOption, match=r"expected TOML in .*starling\.toml"):
        load_settings(environ={}, directory=tmp_path)


def test_a_dotenv_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe=")
    with pytest.raises(InvalidOption, match=r"expected lines of NAME=value in .*\.env"):
        load_settings(environ={}, directory=tmp_path)


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match=r"expected a settings file at .*none\.toml, got: No such file or directory"):
        load_settings(config_file=tmp_path / "none.toml", environ={})


class Store(Group):
    """Somewhere."""

    password: str = setting("", "opens it", secret=True)
    tries: int = setting(3, "how often", secret=True)


class Tree(Group):
    """A tree with secrets."""

    store: Store = Store()


def test_a_secret_is_never_shown() -> None:
    environment = Source("environment", "STARLING_STORE__PASSWORD")
    (password, tries) = build(Tree, [{"store.password": Given("hunter2", environment)}]).effective()
    assert (password.value, tries.value) == ("(hidden)", "(hidden)")
    with pytest.raises(InvalidOption) as refused:
        build(Tree, [{"store.tries": Given("hunter2", environment)}])
    assert "hunter2" not in str(refused.value)


def test_credentials_in_a_url_are_never_shown(tmp_path: Path) -> None:
    loaded = load_settings(environ={"STARLING_JOBS__STORE": "redis://user:pa@ss@host:6379/0"}, directory=tmp_path)
    [store] = [setting.value for setting in loaded.effective() if setting.path == "jobs.store"]
    assert store == '"redis://(hidden)@host:6379/0"'
    with pytest.raises(InvalidOption) as refused:
        load_settings(environ={"STARLING_SERVER__IDLE_TIMEOUT": "redis://user:password@host"}, directory=tmp_path)
    assert "password" not in refused.value.message
