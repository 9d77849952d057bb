"""What the names in the query of ``/v1/listen`` mean here, and how their values are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from starling.core.errors import InvalidOption
from starling.protocols.conformance import Term, check, ignored, refused, supported

OFF: Final = frozenset({"", "0", "false"})
ON: Final = frozenset({"1", "true"})

_FALSE: Final[tuple[object, ...]] = tuple(OFF)

PARAMETERS: Final[Mapping[str, Term]] = {
    "encoding": supported(
        "linear16, linear32 (floats), flac, mulaw, alaw, opus and ogg-opus (both in Ogg); without it: WAV, FLAC, Ogg, WebM"
    ),
    "sample_rate": supported("8000 to 96000; 8000 is understood for mulaw and alaw"),
    "channels": supported("1 to 8, mixed to one"),
    "language": supported("what the model speaks; anything else is refused"),
    "interim_results": supported("the text so far, about three times a second"),
    "endpointing": supported("from 300 ms on, shorter ones are taken for that; off: no result says `speech_final` of a pause"),
    "utterance_end_ms": supported("1000 to 60000, with interim_results"),
    "vad_events": supported("SpeechStarted"),
    "punctuate": supported("case and punctuation, which are the model's own"),
    "smart_format": supported("as punctuate; numbers stay words"),
    "keyterm": supported("a hot word or phrase"),
    "keywords": supported("the same; all boosts weigh the same, and one of 0 or less leaves the word out"),
    "model": ignored("there is one model"),
    "version": ignored("there is one model"),
    "tier": ignored("there is one model"),
    "language_hint": ignored("the language is that of the model"),
    "numerals": ignored("numbers stay words"),
    "measurements": ignored("numbers stay words"),
    "dictation": ignored("spoken punctuation stays words"),
    "filler_words": ignored("the model writes what it hears"),
    "no_delay": ignored("nothing is delayed"),
    "tag": ignored("there is no usage report to show it in"),
    "extra": ignored("it changes no result"),
    "mip_opt_out": ignored("no audio is kept"),
    "multichannel": refused("channels are not told apart", _FALSE),
    "diarize": refused("speakers are not told apart", _FALSE),
    "diarize_model": refused("speakers are not told apart", _FALSE),
    "redact": refused("nothing is taken out of texts", _FALSE),
    "profanity_filter": refused("nothing is taken out of texts", _FALSE),
    "replace": refused("nothing is taken out of texts", _FALSE),
    "search": refused("texts are not searched", _FALSE),
    "detect_entities": refused("entities are not found", _FALSE),
    "detect_language": refused("there is one language", _FALSE),
    "callback": refused("results go out on the connection only", _FALSE),
    "callback_method": refused("results go out on the connection only", _FALSE),
}
"""Every parameter that is known. One that is not is ignored: newer clients name what older servers never heard of."""


MESSAGES: Final[Mapping[str, Term]] = {
    "binary": supported("audio, cut anywhere; an empty one ends the stream, as CloseStream does"),
    "`KeepAlive`": supported("no answer, as there"),
    "`Finalize`": supported("the result that ends what was being said has `from_finalize`; silence is not answered"),
    "`CloseStream`": supported("the remaining results, `Metadata`, then the close with 1000"),
    "`Configure`": supported("`keyterms`, and of `features` those named punctuate and smart_format; `ConfigureSuccess` answers"),
}
"""Messages of a client. Any other is answered with `Error` (`SchemaError`), and the stream goes on."""


class Parameters:
    """A query, decoded; where a name comes twice and may not, its last value counts.

    Raises InvalidOption where something is asked for that is refused.
    """

    def __init__(self, query: Sequence[tuple[str, str]]) -> None:
        self._query = query
        for name, value in query:
            check(PARAMETERS, {name: value.lower()})

    def all(self, name: str) -> Sequence[str]:
        """Every value of ``name``, in order."""
        return [value for given, value in self._query if given == name]

    def last(self, name: str) -> str | None:
        """The value of ``name``, None if it has none."""
        return next((value for value in reversed(self.all(name)) if value), None)

    def flag(self, name: str) -> bool:
        """Whether ``name`` is on; what is not named is off."""
        value = (self.last(name) or "").lower()
        if value not in OFF | ON:
            raise InvalidOption(f"{name} must be true or false, got {value[:40]!r}")
        return value in ON

    def number(self, name: str, low: int, high: int) -> int | None:
        """The whole number ``name``, from ``low`` to ``high``; None if it is not named."""
        value = self.last(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and low <= int(value[:9]) <= high):
            raise InvalidOption(f"{name} must be a whole number from {low} to {high}, got {value[:40]!r}")
        return int(value[:9])
