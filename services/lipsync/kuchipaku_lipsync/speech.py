"""Speech as the recognisers take it: 16 kHz, 16 bit, without DC offset, cut into utterances.

Follows Rhubarb's preparation (audio/DcOffset.cpp, audio/voiceActivityDetection.cpp of
github.com/DanielSWolf/rhubarb-lip-sync).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_lipsync.vad import Segment, detect_speech
from kuchipaku_media.audio import AudioClip, resample

SAMPLE_RATE: Final = 16_000
SAMPLES_PER_CS: Final = SAMPLE_RATE // 100
# Gives the recogniser some room around what the voice activity detection found.
SEGMENT_PADDING_CS: Final = 3

_DC_EPSILON = 1.0 / 15_000
_DC_FLAT_S = 3
_DC_FADE_S = 1
_FULL_SCALE = 32_767.0
# Speech above this level (RMS of the active frames) is taken as it is.
TARGET_DBFS: Final = -26.0
QUIET_DBFS: Final = -45.0
SILENT_DBFS: Final = -57.0
# Audio is clipped when more than this share of its samples is at full scale.
CLIPPED_SHARE: Final = 0.002
FULL_LEVEL: Final = 0.999


@dataclass(frozen=True, slots=True)
class Speech:
    """Prepared audio: int16 samples (n,) at 16 kHz and the stretches that hold speech."""

    samples: NDArray[np.int16]
    segments: tuple[Segment, ...]
    loudest_dbfs: float
    clipped: bool
    boosted: bool

    @property
    def duration_cs(self) -> int:
        return len(self.samples) // SAMPLES_PER_CS

    def padded(self, segment: Segment) -> tuple[int, NDArray[np.int16]]:
        """Start (centiseconds) and samples of a segment with some room around it."""
        start = max(segment.start_cs - SEGMENT_PADDING_CS, 0)
        end = min(segment.end_cs + SEGMENT_PADDING_CS, self.duration_cs)
        return start, self.samples[start * SAMPLES_PER_CS : end * SAMPLES_PER_CS]


def dc_offset(samples: NDArray[np.float32], sample_rate: int) -> float:
    """Mean of a short clip; of a longer one the mean of the first seconds, fading out."""
    flat, fading = len(samples), 0
    if flat > (_DC_FLAT_S + _DC_FADE_S) * sample_rate:
        flat, fading = _DC_FLAT_S * sample_rate, _DC_FADE_S * sample_rate
    if flat == 0:
        return 0.0
    total = float(np.sum(samples[:flat], dtype=np.float64))
    if fading:
        weights = np.arange(fading, 0, -1) / fading
        total += float(np.dot(samples[flat : flat + fading], weights))
    return total / (flat + (fading + 1) / 2)


def without_dc_offset(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """The samples around zero, scaled down a little so that nothing clips."""
    offset = dc_offset(samples, sample_rate)
    if abs(offset) < _DC_EPSILON:
        return samples
    return np.asarray((samples - offset) / (1 + abs(offset)), np.float32)


def to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Samples in -1..1 as 16-bit integers."""
    scaled: NDArray[np.int16] = np.rint(np.clip(samples, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)
    return scaled


def dbfs(rms: float) -> float:
    """A level, full scale = 1, in decibels."""
    return float(20 * np.log10(max(rms, 1e-6)))


def _loudest_dbfs(samples: NDArray[np.float32]) -> float:
    """Level of the loudest quarter second, in dB relative to full scale."""
    window = SAMPLE_RATE // 4
    if len(samples) == 0:
        return dbfs(0.0)
    padded = np.pad(samples, (0, -len(samples) % window))
    power = np.mean(np.square(padded.reshape(-1, window), dtype=np.float32), axis=1)
    return dbfs(float(np.sqrt(power.max())))


def prepare_speech(clip: AudioClip) -> Speech:
    """The clip made ready for recognition; very quiet audio is raised to a usual level first."""
    resampled = clip if clip.sample_rate == SAMPLE_RATE else resample(clip, SAMPLE_RATE)
    samples = without_dc_offset(resampled.samples, SAMPLE_RATE)
    level = _loudest_dbfs(samples)
    boosted = SILENT_DBFS < level < QUIET_DBFS
    if boosted:
        samples = np.asarray(samples * 10 ** ((TARGET_DBFS - level) / 20), np.float32)
    at_full_scale = np.count_nonzero(np.abs(samples) >= FULL_LEVEL)
    clipped = bool(at_full_scale > CLIPPED_SHARE * len(samples))
    half_rate = samples[: len(samples) // 2 * 2].reshape(-1, 2).mean(axis=1, dtype=np.float32)
    activity = to_int16(without_dc_offset(half_rate, SAMPLE_RATE // 2))
    return Speech(
        samples=to_int16(samples),
        segments=detect_speech(activity),
        loudest_dbfs=level,
        clipped=clipped,
        boosted=boosted,
    )
