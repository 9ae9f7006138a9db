"""Pitch and harmonics of a voice, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FRAME_CS: Final = 2
"""Time from frame to frame, in centiseconds."""
MIN_PITCH_HZ: Final = 75.0
MAX_PITCH_HZ: Final = 1_050.0
MAX_HARMONIC_HZ: Final = 4_500.0
MAX_HARMONICS: Final = 40

_RATE: Final = 16_000
HOP: Final = _RATE * FRAME_CS // 100
WINDOW: Final = 800
# Samples of a frame's window before the frame itself.
LEAD: Final = (WINDOW - HOP) // 2
_FFT: Final = 4_096
# The window needs two periods of the lowest pitch; subharmonics of equal merit lose to the pitch.
_SUBHARMONIC_COST: Final = 0.02
_BATCH: Final = 500

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Harmonics:
    """A voice's spectrum where it has energy, for n frames.

    ``level_db`` (n,): RMS in dB, full scale 0. ``pitch_hz`` (n,). ``periodicity`` (n,): 1 for a
    perfectly periodic sound, 0 for noise. ``harmonic_db`` (n, 40): level of each harmonic, NaN
    beyond 4500 Hz.
    """

    level_db: FloatArray
    pitch_hz: FloatArray
    periodicity: FloatArray
    harmonic_db: FloatArray

    def __len__(self) -> int:
        return len(self.level_db)


def harmonics(samples: NDArray[np.float32]) -> Harmonics:
    """Analyse float32 samples (n,) at 16 kHz in frames of 20 ms."""
    parts = list(_parts(samples))
    return Harmonics(
        np.concatenate([part.level_db for part in parts]),
        np.concatenate([part.pitch_hz for part in parts]),
        np.concatenate([part.periodicity for part in parts]),
        np.concatenate([part.harmonic_db for part in parts]),
    )


def _parts(samples: NDArray[np.float32]) -> Iterator[Harmonics]:
    count = -(-len(samples) // HOP)
    right = count * HOP + WINDOW - LEAD - len(samples)
    padded = np.pad(samples, (LEAD, right))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:count]
    for first in range(0, count, _BATCH):
        yield analyse(frames[first : first + _BATCH])


def analyse(frames: FloatArray) -> Harmonics:
    """Analyse windows of samples, (n, 800), one to a frame."""
    window = np.hanning(WINDOW).astype(np.float32)
    centred = frames - frames.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred * window, _FFT, axis=1)
    power = np.square(np.abs(spectrum)).astype(np.float32)
    level = 10 * np.log10(np.mean(np.square(centred), axis=1) + 1e-10)
    pitch, periodicity = _pitch(power, window)
    return Harmonics(level.astype(np.float32), pitch, periodicity, _harmonic_levels(power, pitch))


def _pitch(power: FloatArray, window: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Pitch by the autocorrelation, freed of the window's own (P. Boersma, 1993)."""
    raw = np.fft.irfft(power, axis=1)
    own = np.fft.irfft(np.square(np.abs(np.fft.rfft(window, _FFT))))
    shortest, longest = int(_RATE / MAX_PITCH_HZ), int(_RATE / MIN_PITCH_HZ)
    lags = np.arange(shortest, longest + 1)
    normal = raw[:, lags] / np.maximum(raw[:, :1], 1e-9) / (own[lags] / own[0])
    merit = np.minimum(normal, 1.0) - _SUBHARMONIC_COST * np.log2(lags / shortest)
    inner = merit[:, 1:-1]
    peak = (inner >= merit[:, :-2]) & (inner >= merit[:, 2:])
    best = np.where(peak, inner, -np.inf).argmax(axis=1) + 1
    rows = np.arange(len(merit))
    before, at, after = merit[rows, best - 1], merit[rows, best], merit[rows, best + 1]
    bend = before - 2 * at + after
    shift = np.where(np.abs(bend) > 1e-9, 0.5 * (before - after) / np.where(bend, bend, 1.0), 0.0)
    pitch = _RATE / (lags[best] + np.clip(shift, -0.5, 0.5))
    return pitch.astype(np.float32), np.clip(normal[rows, best], 0.0, 1.0).astype(np.float32)


def _harmonic_levels(power: FloatArray, pitch: FloatArray) -> FloatArray:
    """The strongest bin near each multiple of the pitch, in dB."""
    numbers = np.arange(1, MAX_HARMONICS + 1)
    centre = pitch[:, None] * numbers * _FFT / _RATE
    reach = np.clip(pitch * 0.25 * _FFT / _RATE, 1, 12)[:, None]
    steps = np.linspace(-1.0, 1.0, 9)
    bins = np.rint(centre[:, :, None] + reach[:, :, None] * steps).astype(np.intp)
    bins = np.clip(bins, 0, power.shape[1] - 1)
    strongest = power[np.arange(len(power))[:, None, None], bins].max(axis=2)
    level = 10 * np.log10(strongest + 1e-9)
    level[pitch[:, None] * numbers > MAX_HARMONIC_HZ] = np.nan
    return np.asarray(level, np.float32)
