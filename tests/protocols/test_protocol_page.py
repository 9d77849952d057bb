"""``docs/protocol.md`` says what the code does."""

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import msgspec
import pytest

from starling.core import hotwords
from starling.core.config import SessionConfig
from starling.gateway.options import GatewayOptions
from starling.protocols.native.adapter import TRANSITIONS, Input, State
from starling.protocols.native.messages import (
    Audio,
    ClientMessage,
    Configure,
    HotWord,
    Ready,
    Result,
    ServerMessage,
    SetLangs,
    Start,
    Word,
    decode_client,
    decode_server,
    encode,
)
from starling.protocols.reference import error_table

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
MESSAGES: dict[str, type[msgspec.Struct]] = {
    str(message.__struct_config__.tag): message for union in (ClientMessage, ServerMessage) for message in union.__args__
}
CLIENT_TAGS = {str(message.__struct_config__.tag) for message in ClientMessage.__args__}
EXAMPLES = [line for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def section(tag: str) -> str:
    """The part of the page about message ``tag``."""
    return re.split(r"\n##", PAGE.partition(f"\n### `{tag}`\n")[2])[0]


def tables(text: str) -> Iterator[dict[str, list[str]]]:
    """Each table of fields in ``text``: the cells of each row by the name in its first."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("| field"):
            next(lines)
            rows = [row.strip("|").split("|") for row in takewhile(lambda row: row.startswith("|"), lines)]
            yield {row[0].strip(" `"): [cell.strip() for cell in row] for row in rows}


def wire_fields(message: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(message)}


@pytest.mark.parametrize("tag", MESSAGES)
def test_every_field_of_every_message_is_there(tag: str) -> None:
    assert section(tag), f"docs/protocol.md has no section about {tag}"
    described = set(next(tables(section(tag)), {}))
    assert described == wire_fields(MESSAGES[tag])


@pytest.mark.parametrize(("tag", "nested"), [("start", Audio), ("start", HotWord), ("result", Word)])
def test_nested_objects_are_there(tag: str, nested: type[msgspec.Struct]) -> None:
    assert wire_fields(nested) in [set(inner) for inner in tables(section(tag))]


def test_no_message_is_there_that_does_not_exist() -> None:
    assert set(re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE)) == set(MESSAGES)


@pytest.mark.parametrize("tag", sorted(set(MESSAGES) - CLIENT_TAGS))
def test_fields_that_may_be_absent_are_marked(tag: str) -> None:
    rows = next(tables(section(tag)))
    optional = {field.encode_name for field in msgspec.structs.fields(MESSAGES[tag]) if not field.required}
    assert {name for name, row in rows.items() if "may be absent" in row[1]} == optional


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_is_a_message_as_it_is_sent(line: str) -> None:
    tag = msgspec.json.decode(line)["type"]
    assert encode((decode_client if tag in CLIENT_TAGS else decode_server)(line)) == line or tag in CLIENT_TAGS


def test_every_message_of_the_client_has_an_example() -> None:
    assert {msgspec.json.decode(line)["type"] for line in EXAMPLES} == set(MESSAGES)


def test_the_defaults_are_those_of_the_code() -> None:
    rows, hotword, audio = tables(section("start"))
    defaults = SessionConfig()
    assert rows["language"][2] == f"`{defaults.language}`"
    assert rows["partials"][2] == str(defaults.partials).lower()
    assert rows["partial_interval_ms"][2] == f"{defaults.partial_interval * 1000:g}"
    assert rows["endpoint_silence_ms"][2] == f"{defaults.endpoint_silence * 1000:g}"
    assert rows["partial_words"][2] == str(defaults.partial_words).lower()
    assert rows["finished_silence_ms"][2] == f"{defaults.finished_silence * 1000:g}"
    assert rows["words"][2] == str(defaults.words).lower()
    assert rows["vad"][2] == f"`{defaults.vad}`"
    assert rows["quality"][2] == f"`{defaults.quality}`"
    assert audio["sample_rate"][2] == "16000"
    assert hotword["weight"][2] == f"{hotwords.HotWord('any').weight:g}"


def test_the_limits_are_those_of_the_code() -> None:
    options = GatewayOptions()
    assert options.max_frame_bytes == 1 << 20
    assert f"at most {hotwords.MAX_PHRASE} characters" in PAGE
    assert f"most {hotwords.MAX_HOTWORDS}, of {hotwords.MAX_BYTES} bytes together" in PAGE
    assert "{:g} to {:g}; much more".format(*hotwords.WEIGHT_RANGE) in PAGE
    assert f"| first frame | within {options.start_timeout:g} seconds |" in PAGE
    assert f"| audio or `keepalive` | every {options.idle_timeout:g} seconds |" in PAGE
    assert f"| reading results | something within {options.send_timeout:g} seconds |" in PAGE
    assert f"| coming back | within {options.resume_grace:g} seconds |" in PAGE
    assert f"| length of a session, and of the audio in it | {options.max_session_seconds / 3600:g} hours |" in PAGE


def test_the_table_of_states_is_that_of_the_code() -> None:
    rows = [line.strip("|").split("|") for line in PAGE.partition("| state |")[2].splitlines()[2:6]]
    columns = [Input.START, Input.RESUME, Input.AUDIO, Input.FINALIZE, Input.CONFIGURE, Input.KEEPALIVE, Input.END]
    for name, *cells in rows:
        for column, cell in zip(columns, cells, strict=True):
            after = TRANSITIONS.get((State(name.strip()), column))
            assert cell.strip() == (after or "-"), (name, column)
    assert [name.strip() for name, *_ in rows] == list(State)


def test_the_table_of_errors_is_that_of_the_code() -> None:
    _, _, rest = PAGE.partition("starling.protocols.reference` -->\n\n")
    assert rest.partition("\n<!--")[0] == error_table(), "run `python -m starling.protocols.reference` and paste what it prints"


def test_shared_options_mean_the_same_everywhere() -> None:
    shared = wire_fields(Configure)
    assert shared <= wire_fields(Start)
    assert shared <= wire_fields(Ready)
    assert wire_fields(SetLangs) == {"source_language", "target_language"}
    assert {"segment_id", "version", "sequence", "trace_id"} <= wire_fields(Result)
