"""Sung vowels as phones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_lipsync.phones import Phone, PhoneSegment
from kuchipaku_lipsync.recognizers.base import RecognizerName, Utterance
from kuchipaku_lipsync.song.pitch import FRAME_CS, Harmonics, harmonics
from kuchipaku_lipsync.song.vowels import VOWELS, Vowel, vowel_scores
from kuchipaku_lipsync.speech import SAMPLES_PER_CS, Speech

PHONES: Final = {
    Vowel.A: Phone.AA,
    Vowel.I: Phone.IY,
    Vowel.U: Phone.UW,
    Vowel.E: Phone.EH,
    Vowel.O: Phone.AO,
}

# What it costs to go from vowel to vowel between two frames.
SWITCH_COST: Final = 3.0
# Below this, against the loud parts, nobody sings.
SILENCE_DB: Final = -32.0
MIN_PERIODICITY: Final = 0.55
# Frames without a voice tell little: what was sung before goes on.
UNVOICED_WEIGHT: Final = 0.1


class SongRecognizer:
    """Tracks vowels in singing. Consonants show only as short holes."""

    name = RecognizerName.SONG

    def listen(self, speech: Speech) -> Iterator[Utterance]:
        """One utterance for each stretch of sound."""
        for segment in speech.segments:
            start, samples = speech.padded(segment)
            yield Utterance(segment, tuple(sung_phones(_floats(samples), start)))


def sung_phones(samples: NDArray[np.float32], start_cs: int) -> list[PhoneSegment]:
    """The vowels of float32 samples (n,) at 16 kHz that begin at ``start_cs``."""
    voice = harmonics(samples)
    path = _path(vowel_scores(voice), voice)
    end_cs = start_cs + len(samples) // SAMPLES_PER_CS
    phones = []
    position = start_cs
    for vowel, group in groupby(path):
        after = min(position + FRAME_CS * sum(1 for _ in group), end_cs)
        if vowel is not None and after > position:
            phones.append(PhoneSegment(position, after, PHONES[vowel]))
        position = after
    return phones


def _path(scores: NDArray[np.float32], voice: Harmonics) -> list[Vowel | None]:
    """The likeliest sequence of vowels (Viterbi); None where it is silent."""
    voiced = voice.periodicity >= MIN_PERIODICITY
    weighted = scores * np.where(voiced, 1.0, UNVOICED_WEIGHT)[:, None]
    total = np.zeros(len(VOWELS))
    back = np.empty(weighted.shape, np.intp)
    for index, row in enumerate(weighted):
        leader = int(total.argmax())
        stay = total >= total[leader] - SWITCH_COST
        back[index] = np.where(stay, np.arange(len(VOWELS)), leader)
        total = np.where(stay, total, total[leader] - SWITCH_COST) + row
    state = int(total.argmax())
    states = np.empty(len(weighted), np.intp)
    for index in range(len(weighted) - 1, -1, -1):
        states[index] = state
        state = int(back[index, state])
    loud = voice.level_db > np.quantile(voice.level_db, 0.95) + SILENCE_DB
    return [VOWELS[state] if on else None for state, on in zip(states, loud, strict=True)]


def _floats(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    return samples.astype(np.float32) / 32_768.0
