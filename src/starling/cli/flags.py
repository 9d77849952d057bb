"""Flags that several commands share, and what they make together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, cast

import typer

if TYPE_CHECKING:
    from starling.cli.live import Credentials
    from starling.client.options import Options
    from starling.client.task import JobOptions

DEFAULT_URL = "ws://127.0.0.1:8000"
"""Where ``starling serve`` listens unless told otherwise."""

SESSION = "Session options (the server's own apply where none is given)"

HowHard: TypeAlias = Literal["fast", "balanced", "best"]
Vad: TypeAlias = Literal["both", "silero", "webrtc", "off"]

Url: TypeAlias = Annotated[
    str, typer.Option("--url", metavar="URL", help="The server: ws://, wss://, http://, https:// or host:port.")
]
ApiKey: TypeAlias = Annotated[
    str | None,
    typer.Option("--api-key", metavar="KEY", help="API key of the server; better in STARLING_API_KEY.", show_default=False),
]
Ca: TypeAlias = Annotated[
    Path | None, typer.Option("--ca", metavar="FILE", help="Certificates in PEM by which a wss server may be vouched for.")
]
CallbackUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--callback", metavar="URL", help="Let the server tell this URL when a job is over, if it may.", show_default="nobody"
    ),
]
CallbackSecret: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--callback-secret",
        metavar="SECRET",
        help="By which that is signed; better in STARLING_CLIENT__CALLBACK_SECRET.",
        show_default="the server's",
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Every message as one line of JSON instead of captions.")]
Language: TypeAlias = Annotated[
    str | None,
    typer.Option("--language", metavar="TAG", help="Language of the speech, as a BCP 47 tag.", rich_help_panel=SESSION),
]
Partials: TypeAlias = Annotated[
    bool | None, typer.Option("--partials/--no-partials", help="Captions while the words are spoken.", rich_help_panel=SESSION)
]
PartialInterval: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--partial-interval",
        metavar="SECONDS",
        min=0.1,
        max=10,
        help="New speech between two partial results.",
        rich_help_panel=SESSION,
    ),
]
EndpointSilence: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--endpoint-silence",
        metavar="SECONDS",
        min=0.1,
        max=10,
        help="Silence that ends a segment.",
        rich_help_panel=SESSION,
    ),
]
FinishedSilence: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--finished-silence",
        metavar="SECONDS",
        min=0.1,
        max=10,
        help="Silence that does where the text looks finished; 0.25 makes finals sooner and cuts more sentences.",
        rich_help_panel=SESSION,
    ),
]
Words: TypeAlias = Annotated[
    bool | None, typer.Option("--words/--no-words", help="Times of words, where the model has them.", rich_help_panel=SESSION)
]
PartialWords: TypeAlias = Annotated[
    bool | None,
    typer.Option("--partial-words/--no-partial-words", help="With --words: on partial results too.", rich_help_panel=SESSION),
]
VadChoice: TypeAlias = Annotated[
    Vad | None,
    typer.Option("--vad", help="Detectors that must hear speech before a segment opens.", rich_help_panel=SESSION),
]

QualityChoice: TypeAlias = Annotated[
    HowHard | None,
    typer.Option("--quality", help="How hard final texts are searched for; best is for recordings.", rich_help_panel=SESSION),
]

HotWord: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--hotword",
        metavar="PHRASE",
        help="A word or phrase that is expected; PHRASE :1.5 gives it a weight (0.1 to 2). May be given again.",
        rich_help_panel=SESSION,
    ),
]
HotWordFile: TypeAlias = Annotated[
    Path | None, typer.Option("--hotwords", metavar="FILE", help="A file of them, one to a line.", rich_help_panel=SESSION)
]

Protocols: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--protocols",
        metavar="NAMES",
        help="Protocols of other servers to speak too: vosk,funasr or all. May be given again.",
        show_default="none",
    ),
]
ProtocolsHost: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--protocols-host",
        metavar="ADDRESS",
        help="Address for those that have a port of their own.",
        show_default="127.0.0.1",
    ),
]


def listed(names: Sequence[str] | None) -> str | None:
    """What a flag that may be given again says in all, for a setting that is a list. None if it was not given."""
    return ",".join(names) if names else None


def credentials(api_key: str | None, ca: Path | None) -> Credentials:
    """What the server is shown: the flags, or the settings where they are not given."""
    from starling.cli.live import Credentials
    from starling.config.loading import load_settings

    chosen = load_settings(overrides={"client.api_key": api_key, "client.ca": ca}).settings.client
    return Credentials(api_key=chosen.api_key, ca=chosen.ca)


def telling(url: str | None, secret: str | None) -> JobOptions:
    """Who is to be told when a job is over. Raises InvalidOption for a secret and nobody to tell."""
    from starling.config.loading import load_settings
    from starling.core.errors import InvalidOption

    if url is None:
        if secret is not None:
            raise InvalidOption("--callback-secret signs what a URL is told: name it with --callback")
        return {}
    chosen = load_settings(overrides={"client.callback_secret": secret}).settings.client.callback_secret
    return {"callback": url} if chosen is None else {"callback": url, "callback_secret": chosen}


def session_options(
    *,
    language: str | None = None,
    partials: bool | None = None,
    partial_interval: float | None = None,
    endpoint_silence: float | None = None,
    finished_silence: float | None = None,
    words: bool | None = None,
    partial_words: bool | None = None,
    vad: str | None = None,
    quality: str | None = None,
    hotword: Sequence[str] | None = None,
    hotwords: Path | None = None,
) -> Options:
    """The options whose flags were given. Raises InvalidOption for hot words that are none."""
    from starling.core.config import Quality, VadMode

    given = {
        "language": language,
        "partials": partials,
        "partial_interval": partial_interval,
        "endpoint_silence": endpoint_silence,
        "finished_silence": finished_silence,
        "words": words,
        "partial_words": partial_words,
        "vad": None if vad is None else VadMode(vad),
        "quality": None if quality is None else Quality(quality),
    }
    options = cast("Options", {name: value for name, value in given.items() if value is not None})
    if hotword or hotwords:
        from starling.cli.hotwords import chosen

        options["hotwords"] = chosen(hotword or (), hotwords)
    return options
