"""Vowels by their formants.

Each frame's harmonics are compared with what a vocal tract with the formants of each vowel would
let through, for tracts of several lengths; how loud the voice is and how steeply its source
falls are fitted away. High voices have few harmonics, so that formants cannot be read off the
spectrum; a comparison at the harmonics that are there works for them as well.

Formants: G. Fant, "Acoustic Theory of Speech Production" (1960), for the filter; the values lie
between those of G. E. Peterson and H. L. Barney (1952) for American English and usual ones of
Japanese, which has the same five vowel classes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_lipsync.song.pitch import MAX_HARMONIC_HZ, Harmonics

FloatArray = NDArray[np.float32]


class Vowel(StrEnum):
    """The five vowel classes."""

    A = "a"
    I = "i"  # noqa: E741 - the vowel's name
    U = "u"
    E = "e"
    O = "o"  # noqa: E741 - the vowel's name


VOWELS: Final = tuple(Vowel)

# First three formants of an adult in hertz; a vowel differs from language to language.
_FORMANTS: Final = {
    Vowel.A: ((780, 1250, 2600), (720, 1150, 2500), (850, 1450, 2750)),
    Vowel.I: ((290, 2300, 3000), (320, 2150, 2850), (280, 2450, 3200)),
    Vowel.U: ((320, 1000, 2350), (340, 1250, 2400), (310, 800, 2300)),
    Vowel.E: ((480, 1950, 2600), (550, 1800, 2550), (430, 2100, 2750)),
    Vowel.O: ((480, 850, 2500), (430, 760, 2450), (540, 950, 2600)),
}
_HIGHER_FORMANTS: Final = ((3500.0, 200.0), (4500.0, 250.0))
_BANDWIDTHS: Final = (80.0, 110.0, 160.0)
# Lengths of the vocal tract: large men to children.
_SCALES: Final = np.geomspace(0.82, 1.36, 10)
_GRID_HZ: Final = 20.0
# Harmonics weaker than this against the strongest tell of noise rather than of the voice.
_DEPTH_DB: Final = 45.0
# Fall of a voice's source per octave, lips included, and how far it may differ at little cost.
_USUAL_SLOPE_DB: Final = -10.0
_SLOPE_STIFFNESS: Final = 0.3
# Usual distance of a harmonic from its template; and how many count as independent of each other.
_ERROR_DB: Final = 6.0
_MAX_EVIDENCE: Final = 12
SCALE_EVIDENCE: Final = 8.0


def _envelopes() -> FloatArray:
    """Level in dB over a grid of frequencies, (vowels, variants * scales, frequencies)."""
    grid = np.arange(0.0, MAX_HARMONIC_HZ + 2 * _GRID_HZ, _GRID_HZ)
    rows = []
    for vowel in VOWELS:
        for variant in _FORMANTS[vowel]:
            for scale in _SCALES:
                formants = [
                    *zip(variant, _BANDWIDTHS, strict=True),
                    *_HIGHER_FORMANTS,
                ]
                level = np.zeros_like(grid)
                for centre, width in formants:
                    f, b = centre * scale, width * scale
                    level += 20 * np.log10(f * f / np.hypot(f * f - grid * grid, grid * b))
                rows.append(level)
    return np.array(rows, np.float32).reshape(len(VOWELS), -1, len(grid))


_ENVELOPES: Final = _envelopes()


def vowel_scores(voice: Harmonics) -> FloatArray:
    """Log likelihood of each vowel in each frame, (n, 5); larger is likelier."""
    return _with_common_scale(scale_scores(voice), voice)


def scale_scores(voice: Harmonics) -> FloatArray:
    """Log likelihood of each vowel and length of the vocal tract, (n, 5, lengths)."""
    frames = zip(voice.pitch_hz, voice.harmonic_db, strict=True)
    scores = np.array([_frame_scores(pitch, levels) for pitch, levels in frames])
    per_template = scores.reshape(len(voice), len(VOWELS), -1, len(_SCALES))
    return np.asarray(per_template.max(axis=2), np.float32)


def _frame_scores(pitch: float, levels: FloatArray) -> FloatArray:
    """Score of each template for one frame, (5 * variants * scales,)."""
    count = int(np.isfinite(levels).sum())
    frequency = pitch * np.arange(1, count + 1)
    level = levels[:count]
    floor = level.max() - _DEPTH_DB
    heard = level > floor
    templates = _ENVELOPES.reshape(-1, _ENVELOPES.shape[2])[
        :, np.rint(frequency / _GRID_HZ).astype(np.intp)
    ]
    # Equal weight to equal parts of a scale between linear and logarithmic.
    importance = 1.0 / (frequency + 300.0)
    weight = np.where(heard, importance, 0.0)
    weight /= weight.sum()
    octave = np.log2(frequency / 500.0)
    octave -= octave @ weight
    difference = np.maximum(level, floor) - templates
    centred = difference - (difference @ weight)[:, None]
    # Ridge: the slope of a voice's source is not free, least of all with few harmonics.
    spread = float(octave**2 @ weight)
    slope = (centred @ (weight * octave) + _SLOPE_STIFFNESS * _USUAL_SLOPE_DB) / (
        spread + _SLOPE_STIFFNESS
    )
    rest = centred - slope[:, None] * octave
    # Where nothing is heard a template may lie as low as it likes.
    rest = np.where(heard, rest, np.minimum(rest, 0.0))
    error = np.square(rest) @ (importance / importance.sum())
    error += _SLOPE_STIFFNESS * np.square(slope - _USUAL_SLOPE_DB)
    return np.asarray(-0.5 * error / _ERROR_DB**2 * min(count, _MAX_EVIDENCE), np.float32)


def _with_common_scale(scores: FloatArray, voice: Harmonics) -> FloatArray:
    """One singer has one vocal tract: lengths that fit the whole better count for more."""
    steady = (voice.periodicity > 0.7) & (voice.level_db > voice.level_db.max() - 30.0)
    if not steady.any():
        return np.asarray(scores.max(axis=2), np.float32)
    per_scale = scores[steady].max(axis=1).mean(axis=0)
    prior = SCALE_EVIDENCE * (per_scale - per_scale.max())
    return np.asarray((scores + prior).max(axis=2), np.float32)
