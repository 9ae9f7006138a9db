"""The mouth timeline: cues without overlaps, with rest in every gap.

Both mouth modes read it. It grows by appending only, so that what has been computed from its
beginning stays true.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kuchipaku_animation.cues import OVERLAP_TOLERANCE_S, MouthCue, MouthShape, validate_cues
from kuchipaku_animation.mouthmap import SHAPE_INDEX
from kuchipaku_animation.poses import FloatArray
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

# Stands for "since ever" and "for ever": farther than any shape reaches.
_FAR_S: Final = 1e6


@dataclass(frozen=True, slots=True)
class Segments:
    """Contiguous segments in order of time; arrays of shape (k,)."""

    start: FloatArray
    end: FloatArray
    shape: npt.NDArray[np.intp]
    """Index into ``SHAPES``."""
    loudness: FloatArray


class MouthTimeline:
    """Cues as contiguous segments that cover all of time.

    ``known_until`` is the time up to which nothing will change any more.
    """

    def __init__(self) -> None:
        self._start = [-_FAR_S]
        self._end = [0.0]
        self._shape = [SHAPE_INDEX[MouthShape.X]]
        self._loudness = [1.0]
        self._cue_count = 0
        self.known_until = 0.0

    def append(self, cues: Sequence[MouthCue], *, field: str = "cues", first: int = 0) -> None:
        """Add cues that follow those before.

        Raises:
            InvalidArgumentError: a cue is invalid, overlaps the one before, starts before the
                time already advanced to, or is one too many.
        """
        validate_cues(cues, field=field, not_before=self._end[-1], first=first)
        self._check_append(cues, field, first)
        for cue in cues:
            self._append_one(cue)
        self._cue_count += len(cues)

    def advance(self, until_s: float) -> None:
        """Promise that no cue starts before ``until_s``: what is not covered is rest."""
        # Gaps this short are rounding; they stay undecided until the next cue comes.
        if until_s - self._end[-1] > OVERLAP_TOLERANCE_S:
            self.known_until = max(self.known_until, until_s)

    @property
    def last_end(self) -> float:
        """End of the last cue, in seconds; 0 without cues."""
        return self._end[-1]

    @property
    def last_boundary(self) -> float:
        """Start of the last segment that is known, in seconds."""
        return self._end[-1] if self.known_until > self._end[-1] else self._start[-1]

    def window(self, since_s: float, until_s: float) -> Segments:
        """The segments that end after ``since_s`` up to the first that begins after ``until_s``.

        Endless rest closes them, whatever follows in truth.
        """
        first = bisect_right(self._end, since_s)
        stop = max(first, bisect_right(self._start, until_s)) + 1
        inside = slice(first, stop)
        last_end = self._end[min(stop, len(self._end)) - 1]
        return Segments(
            start=np.array([*self._start[inside], last_end]),
            end=np.array([*self._end[inside], _FAR_S]),
            shape=np.array([*self._shape[inside], SHAPE_INDEX[MouthShape.X]], dtype=np.intp),
            loudness=np.array([*self._loudness[inside], 1.0]),
        )

    def _append_one(self, cue: MouthCue) -> None:
        if cue.start - self._end[-1] > OVERLAP_TOLERANCE_S:
            self._push(cue.start, SHAPE_INDEX[MouthShape.X], 1.0)
        self._push(max(cue.end, self._end[-1]), SHAPE_INDEX[cue.shape], cue.loudness)

    def _push(self, end: float, shape: int, loudness: float) -> None:
        self._start.append(self._end[-1])
        self._end.append(end)
        self._shape.append(shape)
        self._loudness.append(loudness)
        self.known_until = max(self.known_until, end)

    def _check_append(self, cues: Sequence[MouthCue], field: str, first: int) -> None:
        if self._cue_count + len(cues) > LIMITS.max_cues:
            raise InvalidArgumentError(
                f"more than {LIMITS.max_cues} cues in one utterance",
                reason="TOO_MANY_CUES",
                field=field,
            )
        advanced = self.known_until > self._end[-1]
        if cues and advanced and cues[0].start < self.known_until:
            raise InvalidArgumentError(
                f"cue starts at {cues[0].start:g} s, but {self.known_until:g} s have been "
                "played as rest",
                reason="CUE_IN_THE_PAST",
                field=f"{field}[{first}].start",
            )
