from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from starling.config.groups.group import Group
from starling.config.loading import load_settings
from starling.config.reference import EXAMPLE, render_configuration_markdown
from starling.config.settings import Settings
from starling.config.tree import Leaf, groups, leaves
from starling.core.config import SessionConfig
from starling.gateway.options import GatewayOptions
from starling.scheduler.batcher import BatchOptions
from starling.session.options import SegmentationOptions
from starling.vad.gate import GateOptions

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_what_the_settings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_configuration_markdown(), (
        "run: python -m starling.config.reference > docs/configuration.md"
    )


def test_its_example_works(tmp_path: Path) -> None:
    (tmp_path / "starling.toml").write_text(EXAMPLE)
    assert load_settings(environ={}, directory=tmp_path).settings.session.endpoint_silence_ms == 700


@pytest.mark.parametrize("leaf", leaves(Settings).values(), ids=lambda leaf: leaf.path)
def test_every_setting_says_what_it_is(leaf: Leaf) -> None:
    assert leaf.description
    if "number" in leaf.expected:
        assert " from " in leaf.expected, "a number needs a range"
    if leaf.field.annotation is float:
        assert leaf.unit, "a duration or ratio needs a unit"


@pytest.mark.parametrize("group", [group for _, group in groups(Settings)], ids=lambda group: group.__name__)
def test_defaults_keep_their_own_rules(group: type[Group]) -> None:
    group.model_validate(group().model_dump())


@pytest.mark.parametrize(
    ("group", "options"),
    [(Settings().segmentation, SegmentationOptions()), (Settings().scheduler, BatchOptions())],
    ids=["segmentation", "scheduler"],
)
def test_settings_run_parallel_to_the_options_they_become(group: Group, options: Any) -> None:
    assert {name: getattr(options, name) for name in options.__dataclass_fields__} == group.model_dump()


@pytest.mark.parametrize(
    ("group", "options", "other"),
    [(Settings().gate, GateOptions(), set()), (Settings().server, GatewayOptions(), {"drain_grace"})],
    ids=["gate", "server"],
)
def test_settings_share_the_defaults_of_options_that_have_more(group: Group, options: Any, other: set[str]) -> None:
    values = group.model_dump(exclude=other)
    assert {name: getattr(options, name) for name in values} == values


def test_a_session_gets_the_defaults_of_the_core() -> None:
    ours, core = Settings().session, SessionConfig()
    assert ours.partial_interval_ms == core.partial_interval * 1000
    assert ours.endpoint_silence_ms == core.endpoint_silence * 1000
    assert ours.finished_silence_ms == core.finished_silence * 1000
    assert (ours.language, ours.partials) == (core.language, core.partials)
    assert (ours.words, ours.partial_words) == (core.words, core.partial_words)
    assert (ours.vad, ours.quality) == (core.vad, core.quality)
