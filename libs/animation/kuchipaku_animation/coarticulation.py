"""The coarticulated mouth: dominance blending with guaranteed lip closures.

After Cohen and Massaro, "Modeling coarticulation in synthetic visual speech" (1993): at any time
the mouth is the mean of the targets of all nearby shapes, weighted by their dominances, so that
shapes flow into each other and short ones are undershot. Instead of exponentials, which never
end, a shape's dominance is its cue smoothed by a kernel of finite reach; so the look-ahead is
finite, a cue cut in two gives the same mouth, and rest is exactly shut.

Dominance alone misses about one lip closure in six. Bilabials must close (JALI: Edwards et al.,
ACM TOG 35(4), 2016), hence a gate that shuts the mouth around every closure, aligned to the frame
grid so that at least one frame shows it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kuchipaku_animation.cues import MouthShape
from kuchipaku_animation.mouthmap import SHAPE_INDEX, SHAPES, MouthMap, ShapeArrays
from kuchipaku_animation.poses import FloatArray
from kuchipaku_animation.timeline import Segments

FRAME_TOLERANCE: Final = 1e-6
"""Part of a frame within which two times count as the same frame."""

GATE_REACH_S: Final = 0.06
"""Time in which the lips part after a closure, and meet before it."""
CLOSURE_HOLD: Final = 0.3
"""Share of a closed cue during which the lips stay shut."""
MAX_PIN_DISTANCE_S: Final = 1.0 / 12.0
"""A frame farther than this before the closure does not show it: below 12 fps some are missed."""

_CLOSED: Final = SHAPE_INDEX[MouthShape.A]
_Index = npt.NDArray[np.intp]


def smoothstep(x: FloatArray) -> FloatArray:
    """Ease from 0 to 1 over x in 0..1, with zero slope at both ends."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def coarticulation_look_ahead_s(fps: float, lead_s: float, mouth_map: MouthMap) -> float:
    """How far beyond a frame's time the cues must be known, in seconds.

    At most 0.12 s; 0.115 s with the default map and lead.
    """
    pin_back = min(max(1.0 / fps, lead_s + 0.5 / fps), MAX_PIN_DISTANCE_S)
    gate_frames = math.floor(GATE_REACH_S * fps + FRAME_TOLERANCE)
    closure = max(pin_back + gate_frames / fps, lead_s + GATE_REACH_S)
    return max(lead_s + mouth_map.max_reach_s, closure) + FRAME_TOLERANCE


@dataclass(frozen=True, slots=True)
class Coarticulation:
    """Blends segments into weights: of the vowels of a pose model, or of any other mouth."""

    fps: float
    lead_s: float
    shapes: ShapeArrays

    def weights(self, segments: Segments, first: int, stop: int) -> FloatArray:
        """Weights of the frames ``first`` to ``stop`` (exclusive), shape (n, columns).

        The result for a frame depends on that frame's number and the segments near it alone,
        bit for bit: elementwise arithmetic only, summed in order of time.
        """
        if stop <= first:
            return np.zeros((0, self.shapes.targets.shape[1]))
        blended = self._blend(segments, first, stop)
        gate = self._gate(segments, first, stop)[:, None]
        weights: FloatArray = blended * gate + (1.0 - gate) * self.shapes.targets[_CLOSED]
        return weights

    def _blend(self, segments: Segments, first: int, stop: int) -> FloatArray:
        reach = self.shapes.reach_s[segments.shape]
        segment, frame = _pairs(
            (segments.start - reach - self.lead_s) * self.fps,
            (segments.end + reach - self.lead_s) * self.fps,
            first,
            stop,
        )
        time = frame / self.fps + self.lead_s
        shape = segments.shape[segment]
        mass = _kernel_mass((segments.end[segment] - time) / reach[segment]) - _kernel_mass(
            (segments.start[segment] - time) / reach[segment]
        )
        dominance = self.shapes.dominance[shape] * mass
        quiet = 1.0 - segments.loudness[segment]
        gain = 1.0 - self.shapes.loudness_sensitivity[shape] * quiet
        count, row = stop - first, frame - first
        total = np.bincount(row, weights=dominance, minlength=count)
        cell, cells = row * len(SHAPES) + shape, count * len(SHAPES)
        share = np.bincount(cell, dominance, cells).reshape(count, len(SHAPES))
        loud_share = np.bincount(cell, dominance * gain, cells).reshape(count, len(SHAPES))
        weights = np.zeros((count, self.shapes.targets.shape[1]))
        loud = self.shapes.follows_loudness
        for index, target in enumerate(self.shapes.targets):
            weights += (loud_share[:, index] / total)[:, None] * (target * loud)
            weights += (share[:, index] / total)[:, None] * (target * (1.0 - loud))
        return weights

    def _gate(self, segments: Segments, first: int, stop: int) -> FloatArray:
        """Factor on the opening of each frame: 0 in a closure, 1 far from all, shape (n,)."""
        closed = np.flatnonzero(segments.shape == _CLOSED)
        start, end = segments.start[closed], segments.end[closed]
        centre = (start + end) / 2.0 - self.lead_s
        hold = CLOSURE_HOLD / 2.0 * (end - start)
        pinned = closure_frames(start, end, self.fps, self.lead_s) / self.fps
        shown = pinned >= start - MAX_PIN_DISTANCE_S
        low = np.where(shown, np.minimum(pinned, centre - hold), centre - hold)
        high = np.where(shown, np.maximum(pinned, centre + hold), centre + hold)
        closure, frame = _pairs(
            (low - GATE_REACH_S) * self.fps, (high + GATE_REACH_S) * self.fps, first, stop
        )
        time = frame / self.fps
        distance = np.maximum(np.maximum(low[closure] - time, time - high[closure]), 0.0)
        gate = np.ones(stop - first)
        np.minimum.at(gate, frame - first, smoothstep(distance / GATE_REACH_S))
        return gate


def closure_frames(start: FloatArray, end: FloatArray, fps: float, lead_s: float) -> FloatArray:
    """The frame that shows each closure: the one nearest to its middle, before its end.

    ``start`` and ``end`` are the times of the closed cues, shape (k,); so is the result.
    """
    nearest = np.floor(((start + end) / 2.0 - lead_s) * fps + 0.5)
    # A track ends with its last cue at the earliest, so a frame before the cue's end exists.
    last = np.ceil(end * fps - FRAME_TOLERANCE) - 1.0
    return np.maximum(np.minimum(nearest, last), 0.0)


def _kernel_mass(x: FloatArray) -> FloatArray:
    """Mass of the biweight kernel 15/16 (1 - x^2)^2 below x; -1 and less give 0, 1 and more 1."""
    x = np.clip(x, -1.0, 1.0)
    square = x * x
    return 0.5 + x * (0.9375 - square * (0.625 - 0.1875 * square))


def _pairs(low: FloatArray, high: FloatArray, first: int, stop: int) -> tuple[_Index, _Index]:
    """All (interval, frame) pairs of frames within the intervals (in frames), interval by interval.

    Frames are limited to ``first`` .. ``stop`` (exclusive).
    """
    begin = np.clip(np.floor(low), first, stop).astype(np.intp)
    finish = np.clip(np.ceil(high) + 1.0, first, stop).astype(np.intp)
    counts = np.maximum(finish - begin, 0)
    interval = np.repeat(np.arange(len(low)), counts)
    offsets = np.cumsum(counts) - counts
    frame = np.arange(len(interval)) - np.repeat(offsets - begin, counts)
    return interval, frame
