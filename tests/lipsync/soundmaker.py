"""Music, noise and singing, made afresh from a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
VOWELS = "aiueo"

# Formants in hertz: other values than the tracker's, from C. G. M. Fant's and Japanese tables.
_FORMANTS = {
    "a": (790, 1200, 2620),
    "i": (280, 2250, 3050),
    "u": (310, 1080, 2320),
    "e": (470, 1980, 2580),
    "o": (470, 800, 2550),
}
_BANDWIDTHS = (85, 105, 170)
_HIGHER = ((3450.0, 220.0), (4400.0, 280.0))

Samples = NDArray[np.float32]


def sung(seed: int, notes: int = 8) -> tuple[Samples, str]:
    """A voice that sings vowels, and the vowel of each 10 ms ("-" in pauses).

    Pitch, vibrato, formants, the slope of the source and the loudness are drawn for each voice
    or note.
    """
    rng = np.random.default_rng(seed)
    scale, slope = rng.uniform(0.85, 1.22), rng.uniform(-13.0, -8.0)
    base = np.exp(rng.uniform(np.log(110), np.log(480)))
    parts, truth = [], ""
    for _ in range(notes):
        vowel = VOWELS[rng.integers(5)]
        seconds = round(rng.uniform(0.3, 1.0), 2)
        pitch = float(np.clip(base * 2 ** (rng.integers(-5, 6) / 12), 95, 800))
        parts.append(_note(rng, vowel, seconds, pitch, scale, slope))
        truth += vowel * round(seconds * 100)
        if rng.random() < 0.25:
            pause = round(rng.uniform(0.1, 0.4), 2)
            parts.append(np.zeros(round(pause * RATE)))
            truth += "-" * round(pause * 100)
    samples = np.concatenate(parts)
    return _levelled(samples + rng.normal(0, 0.003, len(samples)), 0.15), truth


def _note(
    rng: np.random.Generator, vowel: str, seconds: float, pitch: float, scale: float, slope: float
) -> NDArray[np.float64]:
    time = np.arange(round(seconds * RATE)) / RATE
    depth, rate = rng.uniform(15, 80), rng.uniform(4.5, 6.5)
    cents = depth * np.sin(2 * np.pi * rate * time + rng.uniform(0, 6))
    frequency = pitch * 2 ** (cents / 1200)
    phase = 2 * np.pi * np.cumsum(frequency) / RATE
    formants = [
        (centre * scale * rng.uniform(0.94, 1.06), width)
        for centre, width in zip(_FORMANTS[vowel], _BANDWIDTHS, strict=True)
    ] + [(centre * scale, width) for centre, width in _HIGHER]
    result = np.zeros(len(time))
    for number in range(1, int(7_500 / frequency.max()) + 1):
        harmonic = number * frequency
        gain = 10 ** (slope * np.log2(number) / 20)
        for centre, width in formants:
            gain = gain * centre**2 / np.hypot(centre**2 - harmonic**2, harmonic * width)
        result += gain * np.sin(number * phase + rng.uniform(0, 6))
    result /= np.sqrt(np.mean(result**2))
    edges = np.minimum(1, np.minimum(time / 0.04, (seconds - time) / 0.06))
    return np.asarray(result * edges * 10 ** (rng.uniform(-6, 0) / 20))


def _levelled(samples: NDArray[np.float64], rms: float) -> Samples:
    scaled = samples * rms / np.sqrt(np.mean(samples**2))
    return np.asarray(np.clip(scaled, -1, 1), np.float32)


def _tone(
    rng: np.random.Generator, frequency: float, seconds: float, kind: str
) -> NDArray[np.float64]:
    time = np.arange(round(seconds * RATE)) / RATE
    result = np.zeros(len(time))
    for number in range(1, max(2, int(min(12, 7_000 / frequency)))):
        level = {"string": 1 / number, "flute": 0.2**number, "piano": np.exp(-0.5 * number)}[kind]
        decay = np.exp(-time * (1 + 0.4 * number)) if kind == "piano" else 1.0
        result += level * decay * np.sin(2 * np.pi * number * frequency * time + rng.uniform(0, 6))
    return np.asarray(result * np.minimum(1, np.minimum(time / 0.02, (seconds - time) / 0.03)))


def chords(seed: int, kind: str = "piano") -> Samples:
    """Chords of three and four notes."""
    rng = np.random.default_rng(seed)
    shapes = ((0, 4, 7), (0, 3, 7), (0, 5, 9), (0, 4, 7, 10))
    parts = []
    for _ in range(12):
        root = rng.uniform(110, 260)
        steps = shapes[rng.integers(len(shapes))]
        parts.append(sum(_tone(rng, root * 2 ** (step / 12), 0.6, kind) for step in steps))
    return _levelled(np.concatenate(parts), 0.12)


def melody(seed: int, kind: str = "string") -> Samples:
    """One instrument, note after note."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(200, 500)
    parts = [
        _tone(rng, base * 2 ** (rng.integers(-7, 8) / 12), rng.uniform(0.2, 0.6), kind)
        for _ in range(18)
    ]
    return _levelled(np.concatenate(parts), 0.12)


def drums(seed: int) -> Samples:
    """Kick and snare in turn."""
    rng = np.random.default_rng(seed)
    result = np.zeros(7 * RATE)
    time = np.arange(RATE // 4) / RATE
    for beat in range(28):
        kick = np.sin(2 * np.pi * (60 + 80 * np.exp(-30 * time)) * time) * np.exp(-12 * time)
        snare = rng.normal(0, 1, len(time)) * np.exp(-25 * time)
        start = beat * RATE // 4
        result[start : start + len(time)] += kick if beat % 2 == 0 else snare
    return _levelled(result, 0.12)


def hum(seed: int) -> Samples:
    """Mains hum with its harmonics and a little hiss."""
    rng = np.random.default_rng(seed)
    time = np.arange(7 * RATE) / RATE
    tones = sum(np.sin(2 * np.pi * 50 * number * time) / number for number in (1, 2, 3, 5))
    return _levelled(tones + rng.normal(0, 0.02, len(time)), 0.08)


def noise(seed: int, slope: float = 0.0) -> Samples:
    """Noise whose power falls with frequency to the power of `slope`: 0 white, 1 pink, 2 brown."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.normal(0, 1, 7 * RATE))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** (slope / 2)
    return _levelled(np.fft.irfft(spectrum), 0.08)


def band(seed: int) -> Samples:
    """Chords, a melody and drums together."""
    parts = [chords(seed), melody(seed + 1, "flute"), drums(seed + 2)]
    length = min(map(len, parts))
    mixed = np.sum([part[:length].astype(np.float64) for part in parts], axis=0)
    return _levelled(mixed, 0.15)


NOT_SPEECH: dict[str, Callable[[int], Samples]] = {
    "piano chords": chords,
    "string chords": lambda seed: chords(seed, "string"),
    "string melody": melody,
    "flute melody": lambda seed: melody(seed, "flute"),
    "piano melody": lambda seed: melody(seed, "piano"),
    "drums": drums,
    "band": band,
    "hum": hum,
    "white noise": noise,
    "pink noise": lambda seed: noise(seed, 1.0),
    "brown noise": lambda seed: noise(seed, 2.0),
}
