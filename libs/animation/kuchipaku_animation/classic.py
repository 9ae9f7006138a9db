"""The classic mouth: linear keyframes from cue to cue.

Every cue's start is a keyframe at which its mouth has multiplier 1. Between two keyframes:

1. from rest, the second mouth grows from 0 to 1 over the whole transition;
2. to rest, the first mouth shrinks from 1 to 0;
3. otherwise the first mouth shrinks from 1 to 0.5 during the first half, then the second mouth
   grows from 0.5 to 1.

It knows neither loudness nor a lead nor lip closures, and needs the next cue in advance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kuchipaku_animation.cues import MouthShape
from kuchipaku_animation.mouthmap import SHAPES
from kuchipaku_animation.poses import VOWEL_NAMES, FloatArray
from kuchipaku_animation.timeline import Segments

_IS_REST = np.array([shape in (MouthShape.A, MouthShape.X) for shape in SHAPES])


@dataclass(frozen=True, slots=True)
class ClassicKeyframes:
    """Applies the keyframe rule to segments."""

    fps: float
    mouths: FloatArray
    """(9, 6): the vowel weights of each shape at multiplier 1."""

    def weights(self, segments: Segments, first: int, stop: int) -> FloatArray:
        """Vowel weights of the frames ``first`` to ``stop`` (exclusive), shape (n, 6)."""
        if stop <= first:
            return np.zeros((0, len(VOWEL_NAMES)))
        time = np.arange(first, stop) / self.fps
        before = np.searchsorted(segments.start, time, side="right") - 1
        after = np.minimum(before + 1, len(segments.start) - 1)
        span = segments.start[after] - segments.start[before]
        elapsed = time - segments.start[before]
        progress = np.where(span > 0.0, elapsed / np.where(span > 0.0, span, 1.0), 0.0)
        first_shape, second_shape = segments.shape[before], segments.shape[after]
        from_rest, to_rest = _IS_REST[first_shape], _IS_REST[second_shape]
        second_half = ~to_rest & (from_rest | (progress > 0.5))
        shown = np.where(second_half, second_shape, first_shape)
        multiplier = np.where(second_half, progress, 1.0 - progress)
        multiplier = np.where(_IS_REST[shown], 0.0, multiplier)
        vowels: FloatArray = multiplier[:, None] * self.mouths[shown]
        return vowels
