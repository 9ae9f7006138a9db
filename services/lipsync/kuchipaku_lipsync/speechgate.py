"""Speech told from music, noise and hum.

WebRTC's detector finds sound that stands out; it takes music for speech. Silero VAD
(github.com/snakers4/silero-vad, MIT licence) does not, so what it hears no speech in is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from kuchipaku_lipsync.vad import MIN_SEGMENT_CS, Segment

SAMPLE_RATE: Final = 16_000
WINDOW: Final = 512
WINDOW_CS: Final = WINDOW * 100 / SAMPLE_RATE
MODEL_SHA256: Final = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"

# Speech begins with one window of this probability, or several likely ones in a row: instruments
# reach 0.84 for a moment, voices 0.9 and more nearly at once.
SURE_FROM: Final = 0.85
LIKELY_FROM: Final = 0.5
LIKELY_WINDOWS: Final = 5
# Below this it ends.
CLOSE_BELOW: Final = 0.35
# Speech goes on over holes up to this length.
HOLD_CS: Final = 30

_CONTEXT: Final = 64
_STATE: Final = (1, 1, 128)
# Windows of one run of the model: bounds the memory for long recordings.
_BATCH: Final = 1_000
# Speech begins before the model is sure of it and ends after.
_PADDING_CS: Final = 25
# A stretch of activity is cut only where it goes beyond the speech by more than this.
_TOLERATED_CS: Final = 50
# A hole in the speech splits a stretch of activity when it is longer than this.
_SPLITTING_CS: Final = 100


@cache
def _session() -> Any:
    data = (files("kuchipaku_lipsync") / "silero" / "silero_vad_16k.onnx").read_bytes()
    if hashlib.sha256(data).hexdigest() != MODEL_SHA256:
        raise RuntimeError("silero_vad_16k.onnx is not the file that the package was made with")
    # Its builds send usage data to their maker unless told not to.
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


class SpeechDetector:
    """Probabilities of speech, one for each window of 32 ms, as the audio comes."""

    def __init__(self) -> None:
        self._session = _session()
        self.reset()

    def reset(self) -> None:
        """Forget the audio so far."""
        self._h = np.zeros(_STATE, np.float32)
        self._c = np.zeros(_STATE, np.float32)
        self._rest = np.zeros(_CONTEXT, np.float32)

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (k,) of the windows that ``samples``, (n,) at 16 kHz, complete."""
        joined = np.concatenate([self._rest, samples])
        count = (len(joined) - _CONTEXT) // WINDOW
        self._rest = joined[count * WINDOW :]
        if count == 0:
            return np.zeros(0, np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(joined, _CONTEXT + WINDOW)[::WINDOW]
        parts = [
            self._run(np.ascontiguousarray(windows[first : min(first + _BATCH, count)]))
            for first in range(0, count, _BATCH)
        ]
        return np.concatenate(parts)

    def _run(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        inputs = {"input": windows, "h": self._h, "c": self._c}
        probabilities, self._h, self._c = self._session.run(None, inputs)
        result: NDArray[np.float32] = probabilities
        return result


class Hysteresis:
    """Whether speech is on, from probabilities in order."""

    def __init__(self) -> None:
        self.on = False
        self._below_cs = 0.0
        self._likely = 0

    def push(self, probability: float) -> bool:
        """Take the next window's probability."""
        self._likely = self._likely + 1 if probability >= LIKELY_FROM else 0
        if probability >= SURE_FROM or self._likely >= LIKELY_WINDOWS:
            self.on = True
        if probability >= CLOSE_BELOW:
            self._below_cs = 0.0
        else:
            self._below_cs += WINDOW_CS
            if self._below_cs > HOLD_CS:
                self.on = False
        return self.on


def speech_regions(samples: NDArray[np.float32]) -> list[Segment]:
    """Stretches of speech in float32 samples (n,) at 16 kHz, with some room around them."""
    padded = np.concatenate([samples, np.zeros(-len(samples) % WINDOW, np.float32)])
    hysteresis = Hysteresis()
    on = [hysteresis.push(float(value)) for value in SpeechDetector().push(padded)]
    return _merged(
        Segment(max(round(start * WINDOW_CS) - _PADDING_CS, 0), round(end * WINDOW_CS))
        for start, end in _runs(on)
    )


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.array([False, *flags, False]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _merged(regions: Iterable[Segment]) -> list[Segment]:
    result: list[Segment] = []
    for region in regions:
        if result and region.start_cs <= result[-1].end_cs:
            result[-1] = Segment(result[-1].start_cs, region.end_cs)
        else:
            result.append(region)
    return result


def only_speech(active: Iterable[Segment], regions: Sequence[Segment]) -> tuple[Segment, ...]:
    """The stretches of activity, or the parts of them, in which there is speech.

    A stretch that reaches only a little beyond the speech stays as it is.
    """
    kept = []
    for segment in active:
        inside = [r for r in regions if r.start_cs < segment.end_cs and r.end_cs > segment.start_cs]
        joined = _joined(inside)
        for index, region in enumerate(joined):
            start, end = segment.start_cs, segment.end_cs
            if index > 0 or region.start_cs - start > _TOLERATED_CS:
                start = max(start, region.start_cs)
            if index < len(joined) - 1 or end - region.end_cs > _TOLERATED_CS:
                end = min(end, region.end_cs)
            if end - start >= MIN_SEGMENT_CS:
                kept.append(Segment(start, end))
    return tuple(kept)


def _joined(regions: Sequence[Segment]) -> list[Segment]:
    """The regions with short holes between them closed."""
    result: list[Segment] = []
    for region in regions:
        if result and region.start_cs - result[-1].end_cs <= _SPLITTING_CS:
            result[-1] = Segment(result[-1].start_cs, region.end_cs)
        else:
            result.append(region)
    return result
