"""Voice activity: which stretches of a clip hold speech.

WebRTC's detector (in the pocketsphinx package) with the settings of Rhubarb
(audio/voiceActivityDetection.cpp): 8 kHz, frames of 10 ms, mode 2. Rhubarb reads the detector's
inner flag; the public one stays on for a while after speech, and that hang-over is taken off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Vad

VAD_SAMPLE_RATE: Final = 8_000
MODE: Final = 2
MAX_FILLED_GAP_CS: Final = 10
MIN_SEGMENT_CS: Final = 5

# Longer stretches are cut where they are quietest: recognisers take memory by the length.
MAX_SEGMENT_CS: Final = 6_000

# Frames that WebRTC's mode 2 adds after up to six active frames in a row, and after more of them
# (common_audio/vad/vad_core.c, kOverHangMax1AGG and kOverHangMax2AGG).
_SHORT_HANGOVER = 6
_LONG_HANGOVER = 9
# Frames that the detector needs to get used to a recording.
_CONTEXT_FRAMES = 1_000
_FRAMES_PER_S = 100
# Width over which loudness is averaged to find a quiet place.
_QUIET_WIDTH = 10


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech, `start_cs` <= t < `end_cs` in centiseconds."""

    start_cs: int
    end_cs: int

    @property
    def duration_cs(self) -> int:
        return self.end_cs - self.start_cs


class _Frames:
    """int16 samples (n,) at 8 kHz as whole frames of 10 ms, with silence behind them."""

    def __init__(self, samples: NDArray[np.int16]) -> None:
        size = VAD_SAMPLE_RATE // _FRAMES_PER_S
        self.count = len(samples) // size
        self._bytes = size * samples.itemsize
        self._data = samples[: self.count * size].tobytes()
        self._silence = bytes(self._bytes)

    def flags(self, start: int, end: int, silent: int) -> list[bool]:
        """The detector's public flags over the frames `start`..`end` and `silent` frames more."""
        detector = Vad(MODE, VAD_SAMPLE_RATE, 1 / _FRAMES_PER_S)
        width = self._bytes
        frames = [self._data[index * width : (index + 1) * width] for index in range(start, end)]
        return [detector.is_speech(frame) for frame in [*frames, *[self._silence] * silent]]


def _hangover(frames: _Frames, end: int) -> int:
    """Frames that the flag stayed on after speech, before it went off at frame `end`.

    Were it nine, then silence from nine frames before the end on would not change the flag:
    that is tried. (Against the inner flag, 99.6 % of the frames of the test recordings agree.)
    """
    last = max(min(end - _LONG_HANGOVER, frames.count), 0)
    flags = frames.flags(max(last - _CONTEXT_FRAMES, 0), last, _LONG_HANGOVER)
    return _LONG_HANGOVER if flags[-1] else _SHORT_HANGOVER


def _runs(active: list[bool]) -> list[Segment]:
    flags = np.array([False, *active, False])
    edges = np.flatnonzero(flags[1:] != flags[:-1])
    return [
        Segment(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]


def _cut(segment: Segment, samples: NDArray[np.int16]) -> list[Segment]:
    """The segment in parts of at most `MAX_SEGMENT_CS`, cut where it is quietest."""
    parts = []
    size = VAD_SAMPLE_RATE // _FRAMES_PER_S
    while segment.duration_cs > MAX_SEGMENT_CS:
        earliest = segment.start_cs + MAX_SEGMENT_CS * 3 // 4
        latest = segment.start_cs + MAX_SEGMENT_CS
        stretch = samples[earliest * size : latest * size].astype(np.float32)
        power = np.square(stretch).reshape(-1, size).mean(axis=1)
        smooth = np.convolve(power, np.ones(_QUIET_WIDTH), "valid")
        cut = earliest + int(np.argmin(smooth)) + _QUIET_WIDTH // 2
        parts.append(Segment(segment.start_cs, cut))
        segment = Segment(cut, segment.end_cs)
    return [*parts, segment]


def detect_speech(samples: NDArray[np.int16]) -> tuple[Segment, ...]:
    """Stretches of speech in int16 samples (n,) at 8 kHz, in order and apart from each other."""
    frames = _Frames(samples)
    merged: list[Segment] = []
    # Silence at the end lets the flag of a clip that ends in speech go off.
    for run in _runs(frames.flags(0, frames.count, _LONG_HANGOVER + 1)):
        end = min(run.end_cs - _hangover(frames, run.end_cs), frames.count)
        if end <= run.start_cs:
            continue
        if merged and run.start_cs - merged[-1].end_cs <= MAX_FILLED_GAP_CS:
            merged[-1] = Segment(merged[-1].start_cs, end)
        else:
            merged.append(Segment(run.start_cs, end))
    spoken = [segment for segment in merged if segment.duration_cs >= MIN_SEGMENT_CS]
    return tuple(part for segment in spoken for part in _cut(segment, samples))
