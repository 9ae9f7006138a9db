"""Sung vowels while they are being sung."""

from __future__ import annotations

from collections import deque
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_lipsync.phones import PhoneSegment
from kuchipaku_lipsync.song.pitch import FRAME_CS, HOP, LEAD, WINDOW, analyse
from kuchipaku_lipsync.song.recognizer import (
    MIN_PERIODICITY,
    PHONES,
    SILENCE_DB,
    SWITCH_COST,
    UNVOICED_WEIGHT,
)
from kuchipaku_lipsync.song.vowels import SCALE_EVIDENCE, VOWELS, Vowel, scale_scores

# Frames that are remembered: three seconds.
_MEMORY: Final = 300 // FRAME_CS
# How fast the length of the vocal tract is learnt, and how fast loudness is forgotten.
_SCALE_PACE: Final = 0.02
_LOUDEST_FALL_DB: Final = 0.05


class SongDecoder:
    """Stands in for `LiveDecoder` where somebody sings; the same times, the same calls."""

    def __init__(self) -> None:
        self._scale_fit: NDArray[np.float32] | None = None
        self._loudest_db = -100.0
        self.begin(0)

    def begin(self, start_cs: int) -> None:
        """A stretch of singing begins with frame ``start_cs``."""
        self._start_cs = start_cs
        self._end_cs = start_cs
        self._samples = np.zeros(LEAD, np.float32)
        self._total = np.zeros(len(VOWELS))
        self._back: deque[NDArray[np.intp]] = deque(maxlen=_MEMORY)
        self._loud: deque[bool] = deque(maxlen=_MEMORY)
        self._count = 0

    def push(self, frames: NDArray[np.float32]) -> None:
        """The next frames of 10 ms, (k, 160)."""
        self._end_cs += len(frames)
        self._samples = np.concatenate([self._samples, frames.reshape(-1)])
        count = (len(self._samples) - WINDOW) // HOP + 1
        if count <= 0:
            return
        windows = np.lib.stride_tricks.sliding_window_view(self._samples, WINDOW)[::HOP][:count]
        self._take(windows)
        self._samples = self._samples[count * HOP :]

    def phones(self, since_cs: int) -> list[PhoneSegment]:
        """The vowels from ``since_cs`` on; the last one reaches to the newest frame."""
        phones = self._segments(since_cs)
        if phones and self._loud[-1] and phones[-1].end_cs < self._end_cs:
            last = phones[-1]
            phones[-1] = PhoneSegment(last.start_cs, self._end_cs, last.phone)
        return phones

    def end(self, end_cs: int, since_cs: int) -> list[PhoneSegment]:
        """The singing has ended at ``end_cs``: its vowels from ``since_cs`` on."""
        return [
            PhoneSegment(phone.start_cs, min(phone.end_cs, end_cs), phone.phone)
            for phone in self.phones(since_cs)
            if phone.start_cs < end_cs
        ]

    def _take(self, windows: NDArray[np.float32]) -> None:
        voice = analyse(windows)
        per_scale = scale_scores(voice)
        for index in range(len(voice)):
            voiced = voice.periodicity[index] >= MIN_PERIODICITY
            level = float(voice.level_db[index])
            self._loudest_db = max(self._loudest_db - _LOUDEST_FALL_DB, level)
            if voiced and level > self._loudest_db - 20.0:
                self._learn_scale(per_scale[index].max(axis=0))
            row = per_scale[index]
            if self._scale_fit is not None:
                row = row + SCALE_EVIDENCE * (self._scale_fit - self._scale_fit.max())
            self._step(row.max(axis=1) * (1.0 if voiced else UNVOICED_WEIGHT))
            self._loud.append(level > self._loudest_db + SILENCE_DB)
            self._count += 1

    def _learn_scale(self, fit: NDArray[np.float32]) -> None:
        if self._scale_fit is None:
            self._scale_fit = fit
        else:
            self._scale_fit = self._scale_fit + _SCALE_PACE * (fit - self._scale_fit)

    def _step(self, scores: NDArray[np.float32]) -> None:
        leader = int(self._total.argmax())
        stay = self._total >= self._total[leader] - SWITCH_COST
        self._back.append(np.where(stay, np.arange(len(VOWELS)), leader))
        before = np.where(stay, self._total, self._total[leader] - SWITCH_COST)
        self._total = before - self._total[leader] + scores

    def _segments(self, since_cs: int) -> list[PhoneSegment]:
        state = int(self._total.argmax())
        states: list[Vowel | None] = []
        for back, loud in zip(reversed(self._back), reversed(self._loud), strict=True):
            states.append(VOWELS[state] if loud else None)
            state = int(back[state])
        position = self._start_cs + (self._count - len(states)) * FRAME_CS
        phones = []
        for vowel, group in groupby(reversed(states)):
            after = position + FRAME_CS * sum(1 for _ in group)
            end = min(after, self._end_cs)
            if vowel is not None and end > since_cs and end > position:
                phones.append(PhoneSegment(position, end, PHONES[vowel]))
            position = after
        return phones
