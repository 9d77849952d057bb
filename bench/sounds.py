"""Sound without a word in it: noises, tones and music made up here, and babble mixed from recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from starling.core.audio import SAMPLE_RATE, Samples

Wave: TypeAlias = NDArray[np.float64]
"""Shape ``[n]``, 16 kHz, any scale: it is brought to a level afterwards."""

DTMF: Final = ((697, 770, 852, 941), (1209, 1336, 1477, 1633))
"""Row and column frequencies of telephone keys in Hz (ITU-T Q.23)."""

CHORDS: Final = ((57, 60, 64), (53, 57, 60), (48, 52, 55), (55, 59, 62))
"""A minor, F, C, G in MIDI notes: the most worn progression there is."""

BEAT: Final = 0.5
"""Seconds, of 120 beats in a minute."""


def hertz(note: float) -> float:
    """Of a MIDI note."""
    return float(440 * 2 ** ((note - 69) / 12))


def clock(seconds: float) -> Wave:
    """The time of each sample, in seconds."""
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def coloured(seconds: float, rng: np.random.Generator, slope: float) -> Wave:
    """Noise whose power falls with frequency to the power of ``slope``: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(rng.normal(size=int(seconds * SAMPLE_RATE)))
    frequency = np.maximum(np.fft.rfftfreq(int(seconds * SAMPLE_RATE), 1 / SAMPLE_RATE), 20)
    return np.fft.irfft(spectrum * frequency ** (-slope / 2), int(seconds * SAMPLE_RATE))


def silence(seconds: float, _: np.random.Generator) -> Wave:
    """Nothing at all."""
    return np.zeros(int(seconds * SAMPLE_RATE))


def white(seconds: float, rng: np.random.Generator) -> Wave:
    """White noise."""
    return coloured(seconds, rng, 0)


def pink(seconds: float, rng: np.random.Generator) -> Wave:
    """Pink noise."""
    return coloured(seconds, rng, 1)


def brown(seconds: float, rng: np.random.Generator) -> Wave:
    """Brown noise, as of wind and engines."""
    return coloured(seconds, rng, 2)


def hum(seconds: float, rng: np.random.Generator) -> Wave:
    """Mains hum of 50 or 60 Hz with its overtones, over some hiss."""
    base = rng.choice([50, 60])
    sound = 0.05 * white(seconds, rng)
    for order in range(1, 9):
        sound += rng.uniform(0.1, 1) / order * np.sin(2 * np.pi * base * order * clock(seconds))
    return sound


def clicks(seconds: float, rng: np.random.Generator) -> Wave:
    """Keys being typed: short bursts of noise, up to eight a second."""
    sound = 0.002 * white(seconds, rng)
    for start in np.cumsum(rng.uniform(0.08, 0.4, int(seconds * 12))):
        burst = rng.normal(size=rng.integers(80, 480)) * rng.uniform(0.3, 1)
        _add(sound, start, burst * np.exp(-np.linspace(0, 6, len(burst))))
    return sound


def breath(seconds: float, rng: np.random.Generator) -> Wave:
    """Breathing on a microphone: pink noise that comes and goes every four seconds."""
    swell: Wave = np.maximum(0.02, np.sin(2 * np.pi * 0.25 * clock(seconds)) ** 3)
    return pink(seconds, rng) * swell


def keypad(seconds: float, rng: np.random.Generator) -> Wave:
    """Telephone keys, one every 0.3 s."""
    sound = 0.001 * white(seconds, rng)
    for start in np.arange(0, seconds, 0.3):
        tone = sum(np.sin(2 * np.pi * rng.choice(group) * clock(0.12)) for group in DTMF)
        _add(sound, start, np.asarray(tone))
    return sound


def ringing(seconds: float, _: np.random.Generator) -> Wave:
    """A telephone that rings: 440 and 480 Hz, two seconds of six."""
    tone = np.sin(2 * np.pi * 440 * clock(seconds)) + np.sin(2 * np.pi * 480 * clock(seconds))
    return tone * (clock(seconds) % 6 < 2)


def sweep(seconds: float, rng: np.random.Generator) -> Wave:
    """A siren between 300 and 2000 Hz."""
    frequency = 1150 + 850 * np.sin(2 * np.pi * rng.uniform(0.1, 1) * clock(seconds))
    return np.sin(2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE)


def drums(seconds: float, rng: np.random.Generator) -> Wave:
    """Kick on one and three, snare on two and four, a hat on every half."""
    sound = np.zeros(int(seconds * SAMPLE_RATE))
    fade = clock(0.15)
    for beat, start in enumerate(np.arange(0, seconds, BEAT)):
        kick = np.sin(2 * np.pi * (50 + 100 * np.exp(-30 * fade)) * fade) * np.exp(-12 * fade)
        snare = (rng.normal(size=len(fade)) * 0.5 + np.sin(2 * np.pi * 190 * fade)) * np.exp(-25 * fade)
        _add(sound, start, snare if beat % 2 else kick)
        for half in (0, BEAT / 2):
            _add(sound, start + half, 0.15 * np.diff(rng.normal(size=len(fade) + 1)) * np.exp(-60 * fade))
    return sound


def chords(seconds: float, rng: np.random.Generator) -> Wave:
    """A pad of sawtooth voices that changes its chord every two seconds."""
    sound = np.zeros(int(seconds * SAMPLE_RATE))
    swell = np.sin(np.linspace(0, np.pi, 2 * SAMPLE_RATE)) ** 0.5
    for bar, start in enumerate(np.arange(0, seconds, 2.0)):
        for note in CHORDS[bar % len(CHORDS)]:
            _add(sound, start, swell * _saw(hertz(note) * rng.uniform(0.997, 1.003), 2.0, overtones=8))
    return sound


def plucked(seconds: float, rng: np.random.Generator) -> Wave:
    """Broken chords on strings (Karplus and Strong 1983)."""
    sound = np.zeros(int(seconds * SAMPLE_RATE))
    for step, start in enumerate(np.arange(0, seconds, BEAT / 2)):
        chord = CHORDS[int(start // 2) % len(CHORDS)]
        _add(sound, start, _string(hertz(chord[step % 3] + 12 * int(rng.integers(2))), 1.0, rng))
    return sound


def lead(seconds: float, rng: np.random.Generator) -> Wave:
    """A melody with vibrato through two resonances, as near to a voice as an instrument comes."""
    sound = np.zeros(int(seconds * SAMPLE_RATE))
    for start in np.arange(0, seconds, BEAT):
        note = int(rng.choice(CHORDS[int(start // 2) % len(CHORDS)])) + 12
        wobble = hertz(note) * (1 + 0.012 * np.sin(2 * np.pi * 5.5 * clock(BEAT)))
        voice = np.zeros(int(BEAT * SAMPLE_RATE))
        for order in range(1, 13):
            height = order * hertz(note)
            weight = np.exp(-(((height - 700) / 300) ** 2)) + 0.6 * np.exp(-(((height - 1200) / 300) ** 2)) + 0.02
            voice += weight * np.sin(2 * np.pi * order * np.cumsum(wobble) / SAMPLE_RATE)
        _add(sound, start, voice * np.sin(np.linspace(0, np.pi, len(voice))) ** 0.3)
    return sound


def band(seconds: float, rng: np.random.Generator) -> Wave:
    """A music bed: drums, bass, pad and melody."""
    bass = np.zeros(int(seconds * SAMPLE_RATE))
    for start in np.arange(0, seconds, BEAT):
        _add(bass, start, _saw(hertz(CHORDS[int(start // 2) % len(CHORDS)][0] - 24), BEAT * 0.8, overtones=5))
    sound = np.zeros(len(bass))
    for part in (drums(seconds, rng), bass, chords(seconds, rng), lead(seconds, rng)):
        sound += part / np.sqrt(np.mean(part**2))
    return sound


MADE: Final[dict[str, Callable[[float, np.random.Generator], Wave]]] = {
    maker.__name__: maker
    for maker in (
        silence, white, pink, brown, hum, clicks, breath, keypad, ringing, sweep, drums, chords, plucked, lead, band,
    )
}  # fmt: skip
"""By name, whatever can be made without a recording."""


def made(name: str, *, seconds: float, seed: int, level: float) -> Samples:
    """``MADE[name]`` at ``level`` dB of full scale (root mean square): int16 ``[n]``."""
    return levelled(MADE[name](seconds, np.random.default_rng([seed, *name.encode()])), level)


def babble(voices: Sequence[Samples], *, seconds: float, seed: int, at_once: int, level: float) -> Samples:
    """``at_once`` people who talk over each other for ``seconds``, each from a place of all ``voices`` drawn by ``seed``."""
    rng = np.random.default_rng(seed)
    line = np.concatenate([voice / max(1.0, float(np.sqrt(np.mean(voice.astype(float) ** 2)))) for voice in voices])
    starts = rng.integers(len(line), size=at_once)
    return levelled(np.sum([np.resize(np.roll(line, -start), int(seconds * SAMPLE_RATE)) for start in starts], axis=0), level)


def levelled(wave: Wave, level: float) -> Samples:
    """``wave`` with a root mean square of ``level`` dB of full scale; what is louder than full scale is clipped."""
    loudness = float(np.sqrt(np.mean(wave**2)))
    scaled = wave * (32768 * 10 ** (level / 20) / loudness if loudness else 0)
    return scaled.clip(-32768, 32767).astype(np.int16)


def residues(noisy: Sequence[tuple[Samples, Samples]]) -> Iterator[Samples]:
    """The noise alone of recordings to which it was added: pairs of noisy and clean, of one length or nearly."""
    for mixture, clean in noisy:
        length = min(len(mixture), len(clean))
        yield (mixture[:length].astype(int) - clean[:length]).clip(-32768, 32767).astype(np.int16)


def _add(sound: Wave, start: float, part: Wave) -> None:
    at = int(start * SAMPLE_RATE)
    room = max(0, min(len(part), len(sound) - at))
    sound[at : at + room] += part[:room]


def _saw(frequency: float, seconds: float, *, overtones: int) -> Wave:
    sound = np.zeros(int(seconds * SAMPLE_RATE))
    for order in range(1, overtones + 1):
        sound += np.sin(2 * np.pi * frequency * order * clock(seconds)) / order
    return sound


def _string(frequency: float, seconds: float, rng: np.random.Generator) -> Wave:
    period = int(SAMPLE_RATE / frequency)
    rounds = int(seconds * SAMPLE_RATE) // period
    wave = rng.uniform(-1, 1, period)
    turns = []
    for _ in range(rounds):
        turns.append(wave)
        wave = 0.498 * (wave + np.roll(wave, 1))
    return np.concatenate(turns)
