"""OpenTelemetry's own variables, where none of Starling's says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from starling.app.tracing import check_tracing, collector_options
from starling.config.groups.telling import Compression
from starling.config.loading import Loaded, load_settings
from starling.config.settings import Settings
from starling.core.errors import InvalidOption


def load(directory: Path, **environ: str) -> Loaded[Settings]:
    return load_settings(environ=environ, directory=directory)


def test_the_standards_variables_count(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://all:4318",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="http://traces:4318",
        OTEL_EXPORTER_OTLP_HEADERS="api-key=s3cret",
        OTEL_EXPORTER_OTLP_TIMEOUT="2500",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_SERVICE_NAME="captions",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test,team=a%20b",
        OTEL_TRACES_SAMPLER="parentbased_traceidratio",
        OTEL_TRACES_SAMPLER_ARG="0.25",
    )
    chosen = loaded.settings.telemetry
    assert chosen.otlp_endpoint == "http://traces:4318"
    assert (chosen.otlp_headers, chosen.otlp_timeout, chosen.otlp_compression) == ("api-key=s3cret", 2.5, Compression.GZIP)
    assert (chosen.service_name, chosen.sampling_ratio) == ("captions", 0.25)
    assert chosen.resource == ("deployment.environment.name=test", "team=a%20b")
    assert str(loaded.sources["telemetry.otlp_endpoint"]) == "environment OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    assert "s3cret" not in str(loaded.effective())
    options = collector_options(loaded.settings)
    assert options is not None
    assert options.url == "http://traces:4318/v1/traces"
    assert options.headers == {"api-key": "s3cret"}
    assert "s3cret" not in repr(options)


def test_starlings_own_go_first_and_a_key_goes_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "starling.toml").write_text('[telemetry]\notlp_endpoint = "http://ours:4318"\nservice_name = "ours"\n')
    chosen = load(
        tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://theirs:4318",
        OTEL_EXPORTER_OTLP_HEADERS="api-key=s3cret",
        OTEL_SERVICE_NAME="theirs",
    ).settings.telemetry
    assert (chosen.otlp_endpoint, chosen.otlp_headers, chosen.service_name) == ("http://ours:4318", None, "ours")


@pytest.mark.parametrize("off", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
def test_what_is_switched_off_for_all_is_off_here(tmp_path: Path, off: dict[str, str]) -> None:
    settings = load(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://all:4318", **off).settings
    assert collector_options(settings) is None


@pytest.mark.parametrize(("sampler", "ratio"), [("always_off", 0.0), ("parentbased_always_on", 1.0), ("jaeger_remote", 1.0)])
def test_samplers_are_shares(tmp_path: Path, sampler: str, ratio: float) -> None:
    assert load(tmp_path, OTEL_TRACES_SAMPLER=sampler).settings.telemetry.sampling_ratio == ratio


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "a number"),
        ("STARLING_TELEMETRY__SAMPLING_RATIO", "2", "from 0"),
    ],
)
def test_what_is_wrong_is_named_with_where_it_came_from(tmp_path: Path, variable: str, value: str, says: str) -> None:
    with pytest.raises(InvalidOption) as refused:
        load(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://all:4318", **{variable: value})
    assert says in refused.value.message
    assert variable in refused.value.message


@pytest.mark.parametrize(
    "wrong",
    [
        {"otlp_endpoint": "localhost:4317"},
        {"otlp_headers": "s3cret"},
        {"resource": ("no equals sign",)},
        {"otlp_ca": "/nowhere.pem", "otlp_endpoint": "https://localhost:4318"},
    ],
)
def test_what_only_a_start_can_judge_stops_the_start(wrong: dict[str, object]) -> None:
    settings = Settings.model_validate({"telemetry": {"otlp_endpoint": "http://localhost:4318"} | wrong})
    with pytest.raises(InvalidOption, match=next(iter(wrong))) as refused:
        check_tracing(settings)
    assert "s3cret" not in refused.value.message
