"""``starling bench``: many speakers at once against a running server, in any protocol that it speaks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from starling.cli import flags
from starling.cli.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starling.client.load.line import Place
    from starling.client.load.running import Outcome
    from starling.core.audio import Samples

EXAMPLES = (
    "starling bench --streams 8",
    "starling bench --protocol riva --streams 8 --compare native",
    "starling bench calls/*.wav --protocol deepgram --url captions.example:8000 --json result.json",
)


def bench(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILES]...", help="Recordings to speak; the model's own samples if none.", show_default=False),
    ] = None,
    *,
    url: flags.Url = flags.DEFAULT_URL,
    protocol: Annotated[
        str, typer.Option("--protocol", metavar="NAME", help="What to speak, as in server.protocols.")
    ] = "native",
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="PORT", min=1, max=65535, show_default=False, help="The protocol's own, if it is not the usual one."
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--compare", metavar="NAME", show_default=False, help="By turns with this one, to see what each costs."),
    ] = None,
    streams: Annotated[int, typer.Option("--streams", metavar="N", min=1, max=2000, help="Speakers at once.")] = 4,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="SECONDS", min=1, max=3600, help="How long each speaks at least in a round.")
    ] = 30.0,
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", min=1, max=100, help="How often.")] = 1,
    api_key: flags.ApiKey = None,
    ca: flags.Ca = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", show_default=False, help="Write the results here, too.")
    ] = None,
) -> int:
    """Measure a running server with many speakers.

    Each speaks in real time, in turns with pauses of two seconds. Shows how soon after the onset of speech the first text
    came, how soon after its end the last final one, and what the server used, where it says so (/metrics).
    """
    import json

    from starling.cli.eventloop import run
    from starling.cli.report import complain
    from starling.client.load.running import Load, compare

    names = [against, protocol] if against and against != protocol else [protocol]
    main, places = _places(url, names, port, flags.credentials(api_key, ca).api_key, ca)
    recordings = [_recording(Path(file)) for file in files] if files else default_recordings()
    load = Load(recordings=recordings, streams=streams, seconds=seconds)
    outcomes = run(compare(places, load, main=main, rounds=rounds, told=complain))
    typer.echo("\n".join(_lines(outcomes)))
    if json_file is not None:
        found: dict[str, Any] = {name: outcome.as_json() for name, outcome in outcomes.items()}
        json_file.write_text(json.dumps({"streams": streams, "seconds": seconds, "rounds": rounds, "protocols": found}, indent=1))
    lost = sum(outcome.refused + outcome.failed for outcome in outcomes.values())
    return ExitCode.FAILURE if lost else ExitCode.OK


def _places(
    url: str, names: Sequence[str], port: int | None, api_key: str | None, ca: Path | None
) -> tuple[Place, Mapping[str, Place]]:
    from dataclasses import replace
    from urllib.parse import urlsplit

    from starling.client.address import is_loopback, stream_url
    from starling.client.load.line import Place
    from starling.client.load.running import NATIVE
    from starling.client.trust import trusting
    from starling.core.errors import InvalidOption
    from starling.protocols.registry import DIALECTS

    address = stream_url(url)
    parts, tls = urlsplit(address), trusting(ca, address)
    main = Place(
        host=parts.hostname or "",
        port=parts.port or (80 if tls is None else 443),
        tls=tls,
        ca=None if ca is None else ca.read_bytes(),
        api_key=api_key,
    )
    dialects = {dialect.name: dialect for dialect in DIALECTS}
    places = {}
    for name in names:
        if name == NATIVE:
            places[name] = main
            continue
        if name not in dialects:
            raise InvalidOption(f"expected native, {', '.join(dialects)} as a protocol, got {name[:40]!r}")
        dialect = dialects[name]
        chosen = port if port is not None and name == names[-1] else dialect.port
        plain = dialect.body is not None and is_loopback(address)  # such a protocol knows no TLS, and needs none there
        places[name] = replace(main, port=chosen or main.port, tls=None if plain else tls)
    return main, places


def default_recordings() -> list[Samples]:
    """Three voices, out of the moonshine-voice wheel. Raises ModelUnavailable where it is not there."""
    from starling.client.sample import sample_recording

    sample = sample_recording()
    return [_recording(sample.with_name(name)) for name in ("beckett.wav", "endgame_nagg_nell.wav")]


def _recording(path: Path) -> Samples:
    import numpy as np

    from starling.audio.recording import read_recording

    return np.concatenate([np.empty(0, np.int16), *read_recording(path)])


def _lines(outcomes: Mapping[str, Outcome]) -> list[str]:
    """A table for people."""
    head = f"{'protocol':16} {'turns':>6}  {'first text P50/95/99 ms':>24}  {'last final P50/95/99 ms':>24}  {'CPU/stream':>10}"
    lines = [head]
    for name, outcome in outcomes.items():
        found = outcome.as_json()
        cost = found["cpu_per_stream"]
        lines.append(
            f"{name:16} {found['turns']:6}  {_triple(found['first']):>24}  {_triple(found['final']):>24}  "
            f"{'-' if cost is None else f'{cost:.4f}':>10}"
        )
        if found["silent"]:
            lines.append(f"  {found['silent']} turns without a final text before the next one began")
        if outcome.refused or outcome.failed:
            lines.append(f"  {outcome.refused} streams refused, {outcome.failed} failed: {'; '.join(outcome.faults)}")
    costs = {name: outcome.cost() for name, outcome in outcomes.items()}
    if len(costs) > 1:
        (base, least), (name, most) = costs.items()
        if least and most:
            lines.append(
                f"{name} takes {1000 * (most - least):+.2f} ms of CPU a second and stream beside {base}: {most / least:.2f} times"
            )
    return lines


def _triple(spread: Mapping[str, int | None]) -> str:
    return " / ".join("-" if value is None else str(value) for value in spread.values())
