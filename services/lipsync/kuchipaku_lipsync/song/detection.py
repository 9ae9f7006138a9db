"""Singing told from instruments and noise."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_lipsync.song.pitch import Harmonics, harmonics
from kuchipaku_lipsync.song.vowels import VOWELS, vowel_scores

# A single voice is periodic nearly all the time; chords, drums and noise are not.
_MIN_PERIODICITY: Final = 0.85
_MIN_PERIODIC_SHARE: Final = 0.6
_LOUD_DB: Final = -25.0
# No voice keeps its pitch as instruments do: it wobbles by so many cents, even on a steady note.
_MIN_WOBBLE_CENTS: Final = 4.0
_NOTE_FRAMES: Final = 12
_MAX_NOTE_RANGE_CENTS: Final = 250.0
# Its spectrum is that of a vocal tract (mean score of the best vowel), and the vowel changes.
_MIN_FIT: Final = -6.0
_MAX_VOWEL_SHARE: Final = 0.95
_MAX_ANALYSED_S: Final = 60


def is_singing(samples: NDArray[np.float32]) -> bool:
    """Whether float32 samples (n,) at 16 kHz sound like one voice that sings.

    A solo instrument with vibrato and a changing tone may pass for one.
    """
    voice = harmonics(samples[: 16_000 * _MAX_ANALYSED_S])
    loud = voice.level_db > np.quantile(voice.level_db, 0.95) + _LOUD_DB
    periodic = loud & (voice.periodicity > _MIN_PERIODICITY)
    if periodic.sum() < _MIN_PERIODIC_SHARE * max(int(loud.sum()), _NOTE_FRAMES):
        return False
    if _wobble_cents(voice, periodic) < _MIN_WOBBLE_CENTS:
        return False
    scores = vowel_scores(voice)[periodic]
    shares = np.bincount(scores.argmax(axis=1), minlength=len(VOWELS)) / len(scores)
    return bool(scores.max(axis=1).mean() > _MIN_FIT and shares.max() < _MAX_VOWEL_SHARE)


def _wobble_cents(voice: Harmonics, periodic: NDArray[np.bool_]) -> float:
    """Median deviation of the pitch from a straight glide, over stretches of held notes."""
    cents = 1_200 * np.log2(voice.pitch_hz)
    time = np.arange(_NOTE_FRAMES)
    deviations = []
    for first in range(0, len(cents) - _NOTE_FRAMES + 1, _NOTE_FRAMES // 2):
        note = slice(first, first + _NOTE_FRAMES)
        held = periodic[note].all() and np.ptp(cents[note]) < _MAX_NOTE_RANGE_CENTS
        if held:
            glide = np.polyval(np.polyfit(time, cents[note], 1), time)
            deviations.append(float((cents[note] - glide).std()))
    return float(np.median(deviations)) if deviations else 0.0
