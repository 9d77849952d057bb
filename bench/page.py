"""The tables of ``docs/benchmarks.md``, written from the JSON files of a full run; the words around them are a person's.

::

    python -m bench.page bench/results docs/benchmarks.md

What stands between two markers ``<!-- NAME -->`` and ``<!-- /NAME -->`` is replaced where ``NAME`` has results.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from bench.latency import spread

Result: TypeAlias = dict[str, Any]


def write(results: Path, page: Path) -> None:
    """Put the tables of all files ``results/NAME.json`` into ``page``, but of those whose kind has none.

    Raises ValueError for one that has no markers there.
    """
    text = page.read_text(encoding="utf-8")
    for file in sorted(results.glob("*.json")):
        if _kind(file.stem) not in _TABLES:
            print(f"{file}: is not a table", file=sys.stderr)
            continue
        text = replaced(text, file.stem, section(file.stem, json.loads(file.read_text(encoding="utf-8"))))
    page.write_text(text, encoding="utf-8")


def replaced(text: str, name: str, table: str) -> str:
    """``text`` with ``table`` between the markers of ``name``. Raises ValueError if they are not there."""
    pattern = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"expected a line <!-- {name} --> and later <!-- /{name} --> in the page, found none")
    return pattern.sub(lambda found: f"{found[1]}\n{table}\n{found[2]}", text)


def section(name: str, result: Result) -> str:
    """The tables of one result, chosen by the first word of its name, and what it was measured on."""
    return "\n".join([*_TABLES[_kind(name)](result), "", _measured_on(result), ""])


def _kind(name: str) -> str:
    return name.partition("-")[0]


def _streams(result: Result) -> Iterator[str]:
    yield f"**{result['limit']} streams** hold. In order of load:\n"
    steps = sorted([*result["steps"], result["rated"]], key=lambda step: int(step["streams"]))
    yield from _table(_LOAD, map(_load_row, steps))


def _peers(result: Result) -> Iterator[str]:
    starling, peer = result["starling"], result["moonshine_voice"]
    ratio = f"{starling['limit'] / peer['limit']:.1f}" if peer["limit"] else "none of the peer's hold, so there is no ratio"
    yield f"Starling **{starling['limit']}**, moonshine_voice **{peer['limit']}** streams; ratio **{ratio}**.\n"
    steps = [(name, step) for name in ("moonshine_voice", "starling") for step in result[name]["steps"]]
    rows = ((name, *_load_row(step)) for name, step in sorted(steps, key=lambda pair: (pair[0], int(pair[1]["streams"]))))
    yield from _table(("", *_LOAD), rows)


def _accuracy(result: Result) -> Iterator[str]:
    rows = (
        (row["set"], row["offline"]["utterances"], row["offline"]["length"], _rate(row["offline"]), _rate(row["live"]))
        for row in result["rows"]
    )
    yield from _table(("set (condition)", "recordings", "words", "WER offline", "WER live"), rows)
    same, of = result["same_text"]
    yield f"\nThe same text offline and live: {same} of {of} recordings.\n"
    flicker = ((name, f"{_percent(one)} %", one["shown"]) for name, one in result["flicker"].items())
    yield from _table(("words", "changed later", "shown"), flicker)
    costs = ", ".join(f"{name} {cost:.4f}" for name, cost in result["real_time_factor"].items())
    yield f"\nCPU seconds per second of audio: {costs}.\n"
    reliability = ((f"{one['confidence']:.2f}", f"{one['right']:.2f}", one["words"]) for one in result["reliability"])
    yield from _table(("confidence", "share of words right", "words"), reliability)


def _overhead(result: Result) -> Iterator[str]:
    step = result["step"]
    yield (
        f"{step['streams']} streams: {result['server']:.3f} cores, of which {result['inside']:.3f} inside onnxruntime: "
        f"**{100 * result['share']:.1f} %** overhead, {result['loop']:.3f} cores of it on the event loop."
    )


def _soak(result: Result) -> Iterator[str]:
    memory = [size for _, size in result["memory"]]
    yield (
        f"{result['sessions']} sessions, {result['streams']} at once, over {result['memory'][-1][0] / 60:.0f} minutes: "
        f"{memory[0]:.0f} MB at the start, at most {max(memory):.0f} MB; grew by **{result['growth_percent']:.2f} %**."
    )


def _words(result: Result) -> Iterator[str]:
    rows = (
        (edge, *(result[edge][key] for key in ("median_ms", "p90_ms", "within_200_ms", "bias_ms"))) for edge in ("start", "end")
    )
    yield f"{result['recognised']} of {result['words']} words were recognised right.\n"
    yield from _table(("", "median error ms", "P90 ms", "share within 200 ms", "bias ms"), rows)


def _quality(result: Result) -> Iterator[str]:
    rows = (
        (row["quality"], _rate(row["all"]), _rate(row["clear"]), f"{1000 * row['cpu']:.1f}", f"{row['ratio']:.2f}")
        for row in result["rows"]
    )
    yield from _table(("quality", "WER, all", "WER above 5 dB", "CPU ms per second of audio", "CPU against fast"), rows)


def _hotwords(result: Result) -> Iterator[str]:
    yield f"Quality `{result['quality']}`, weight {result['weight']:g}, {result['rows'][0]['rare_words']} rare words.\n"
    rows = (
        (
            row["list"],
            f"{row['rare_wrong']:.1f} %",
            f"{row['fewer']:.0f} %",
            f"{row['inserted']:.2f} %",
            f"{row['word_errors']:.1f} %",
            f"{row['cpu']:.2f}",
        )
        for row in result["rows"]
    )
    head = ("hot words", "rare words wrong", "fewer than without", "listed words put in wrongly", "WER", "CPU against without")
    yield from _table(head, rows)


def _log(result: Result) -> Iterator[str]:
    yield f"{result['streams']} streams in records of {result['chunk_ms']} ms.\n"
    names = {
        "log": "audio log in shared memory",
        "relay": "log in memory, relayed over a Unix socket",
        "bytes": "bare Unix socket",
    }
    columns = ("sender", "receiver", "cpu", "latency_p50", "latency_p95")
    rows = ((title, *(f"{result[name][column]:.2f}" for column in columns)) for name, title in names.items())
    yield from _table(("", "CPU ms of the sender", "of the receiver", "of both", "latency P50", "P95"), rows)
    ratios = ", ".join(f"{ratio:.2f} of {name}" for name, ratio in result["ratios"].items())
    yield f"\nCPU is for one second of one stream. The log takes, as the median of all rounds: {ratios}."


def _jobs(result: Result) -> Iterator[str]:
    plan, found = result["plan"], result["outcome"]
    killed = ", ".join(f"{count} {role}s" for role, count in sorted(found["killed"].items())) or "nothing"
    columns = ("recordings", "clients", "killed", "texts", "lost", "there twice", "wrong texts", "attempts at most")
    most = max(map(int, found["attempts"]), default=0)
    numbers = (found["jobs"], plan["clients"], killed, found["results"], found["lost"], found["twice"], found["wrong"], most)
    yield from _table(columns, [numbers])


def _chaos(result: Result) -> Iterator[str]:
    cuts = f", {result['cuts']} connections cut" if result["cuts"] else ""
    yield (
        f"{result['sessions']} sessions, {result['finals']} finals{cuts}: {len(result['wrong'])} transcripts changed, "
        f"{len(result['failed'])} sessions failed, {result['refused']} were not let in.\n"
    )
    blows: dict[tuple[str, str], list[Result]] = {}
    for one in result["struck"]:
        blows.setdefault((one["role"], one["blow"]), []).append(one)
    columns = ("process", "blow", "times", "gone after P50/P95 ms", "longest pause P50/P95 ms", "latest final P50/P95 ms")
    measures = ("gone", "recovered", "late")
    rows = (
        (role, blow, len(all_of), *(_spread([one[it] for one in all_of if one.get(it) is not None]) for it in measures))
        for (role, blow), all_of in sorted(blows.items())
    )
    yield from _table(columns, rows)


def _rebalance(result: Result) -> Iterator[str]:
    yield (
        f"{result['sessions']} sessions, {result['finals']} finals: {len(result['wrong'])} transcripts changed, "
        f"{len(result['failed'])} sessions failed, {result['refused']} were not let in; {_others(result)}.\n"
    )
    rows = ((one["name"], f"{one['settled']:.1f}", _spread(one["pauses"])) for one in result["moves"])
    yield from _table(("recognizers", "partitions shared again after s", "pause of a session P50/P95 ms"), rows)


def _parted(result: Result) -> Iterator[str]:
    yield f"{result['sessions']} sessions each time; {_others(result)}.\n"
    rows = (
        (
            name,
            len(one["taken"]),
            _spread(one["taken"]),
            _spread(one["first"]),
            sum(one["fenced"]),
            _spread(one["late"]),
            one["finals"],
            len(one["wrong"]) + len(one["failed"]),
        )
        for name, one in result["ways"].items()
    )
    head = (
        "bus, cut",
        "times",
        "taken over after P50/P95 ms",
        "first result of the heir P50/P95 ms",
        "partitions fenced",
        "latest final P50/P95 ms",
        "finals",
        "sessions that suffered",
    )
    yield from _table(head, rows)


def _bus(result: Result) -> Iterator[str]:
    yield f"{result['streams']} streams in records of {result['chunk_ms']} ms; {_others(result)}.\n"
    columns = ("cpu", "gateway", "recognizer", "servers", "p50", "p95", "cold_p95")
    rows = (
        (
            name,
            *(f"{one[column]:.2f}" for column in columns),
            f"{result['tax_ms'][name]:.2f}" if name in result["tax_ms"] else "-",
        )
        for name, one in result["ways"].items()
    )
    head = (
        "",
        "CPU ms of all",
        "of the gateway",
        "of the recognizer",
        "of the servers",
        "there and back P50 ms",
        "P95",
        "P95 at first",
        "added to P95",
    )
    yield from _table(head, rows)


def _throughput(result: Result) -> Iterator[str]:
    yield f"{result['streams']} streams in chunks of {result['chunk_ms']} ms.\n"
    rows = (
        (name, *(f"{one[column]:.0f}" for column in ("per_core", "streams_per_core", "gateway", "recognizer", "servers")))
        for name, one in result["logs"].items()
    )
    head = ("", "chunks per s and core", "which is streams", "CPU us of the gateway", "of the recognizer", "of the servers")
    yield from _table(head, rows)


def _others(result: Result) -> str:
    return f"others used {result['usage']['others']:.2f} cores"


def _overload(result: Result) -> Iterator[str]:
    columns = ("", "came", "were let in", "failed", "transcripts changed", "finals late P50/P95 ms", "refusals", "unexplained")
    rows = (
        (
            name, found["wanted"], found["admitted"], len(found["failed"]), len(found["wrong"]), _spread(found["late"]),
            sum(found["refusals"].values()), found["unexplained"],
        )
        for name, found in result.items() if name != "machine"
    )  # fmt: skip
    yield from _table(columns, rows)


def _scaling(result: Result) -> Iterator[str]:
    yield f"By the busiest recognizer, two serve **{result['gain']:.2f} times** as many streams as one.\n"
    columns = (
        "recognizers", "streams", "CPU of each recognizer per s", "gateway's CPU", "generator's CPU", "others' CPU",
        "P95 partial, final ms", "lost",
    )  # fmt: skip
    rows = (
        (
            workers,
            one["streams"],
            ", ".join(f"{used / one['seconds']:.3f}" for used in one["cpu"]),
            *(f"{one[who]:.2f}" for who in ("gateway", "generator", "others")),
            f"{one['partial']}, {one['final']}",
            one["refused"] + one["failed"],
        )
        for workers, several in result["runs"].items()
        for one in several
    )
    yield from _table(columns, rows)


def _churn(result: Result) -> Iterator[str]:
    columns = ("sessions", "process", "memory of its own MB", "resident MB", "files", "threads")
    rows = (
        (
            look["sessions"],
            name,
            *(f"{held[kb] / 1024:.1f}" for kb in ("private_kb", "resident_kb")),
            held["files"],
            held["threads"],
        )
        for look in result["looks"]
        for name, held in sorted(look["held"].items())
    )
    yield from _table(columns, rows)


def _spread(seconds: Sequence[float]) -> str:
    return _ms(asdict(spread(seconds)), "p50", "p95")


def _protocols(result: Result) -> Iterator[str]:
    yield f"{result['streams']} speakers in each protocol by turns, {result['rounds']} rounds; medians of CPU.\n"
    rows = (
        (
            name,
            _ms(row["first"], "p50", "p95"),
            _ms(row["final"], "p50", "p95"),
            _cores(row["cpu_per_stream"]),
            _cores(row["cpu_by_role"].get("gateway")),
            "-" if result["edge"][name] is None else f"{result['edge'][name]:.2f}",
            row["refused"] + row["failed"],
        )
        for name, row in result["protocols"].items()
    )
    head = (
        "protocol", "first text P50/P95 ms", "last final P50/P95 ms", "CPU per stream", "of it at the gateway",
        "gateway against native", "lost",
    )  # fmt: skip
    yield from _table(head, rows)


def _cores(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


_TABLES: dict[str, Callable[[Result], Iterator[str]]] = {
    "jobs": _jobs,
    "bus": _bus,
    "chaos": _chaos,
    "parted": _parted,
    "rebalance": _rebalance,
    "throughput": _throughput,
    "churn": _churn,
    "overload": _overload,
    "log": _log,
    "scaling": _scaling,
    "streams": _streams,
    "peers": _peers,
    "accuracy": _accuracy,
    "quality": _quality,
    "hotwords": _hotwords,
    "overhead": _overhead,
    "protocols": _protocols,
    "soak": _soak,
    "words": _words,
}

_LOAD = (
    "streams", "first partial P50/P95", "partial P50/P95/P99", "partials per s", "final compute P50/P95/P99",
    "endpoint wait P50", "CPU per stream", "CPU by role", "memory MB", "generator's CPU", "others' CPU",
)  # fmt: skip


def _load_row(step: Result) -> tuple[object, ...]:
    usage = step["usage"]
    return (
        step["streams"],
        _ms(step["first"], "p50", "p95"),
        _ms(step["partial"], "p50", "p95", "p99"),
        f"{step['partial_rate']:.2f}",
        _ms(step["compute"], "p50", "p95", "p99"),
        _ms(step["wait"], "p50"),
        f"{usage['server'] / step['streams']:.4f}",
        ", ".join(f"{role} {used:.2f}" for role, used in sorted(usage.get("roles", {}).items())) or "-",
        f"{step['memory_mb']:.0f}",
        f"{usage['generator']:.2f}",
        f"{usage['others']:.2f}",
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(map(str, row))} |" for row in rows)


def _ms(spread: Result, *percentiles: str) -> str:
    return " / ".join("-" if spread[one] is None else str(spread[one]) for one in percentiles)


def _rate(found: Result) -> str:
    return f"{found['percent']:.1f} [{found['low']:.1f}-{found['high']:.1f}]"


def _percent(churn: Result) -> str:
    return f"{100 * churn['changed'] / churn['shown']:.2f}" if churn["shown"] else "-"


def _measured_on(result: Result) -> str:
    machine = result["machine"]
    settings = f"; settings {', '.join(result['settings'])}" if result.get("settings") else ""
    return (
        f"*{machine['date']}, commit {machine['commit']}, {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}, Python {machine['python']}, onnxruntime {machine['onnxruntime']}{settings}*"
    )


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
