"""Utterances of a live session: cues and expressions in, poses of one model out."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from kuchipaku.type.v1 import animation_pb2
from kuchipaku_animation import (
    THA_MOUTH_MAP,
    VOWEL_NAMES,
    AnimationOptions,
    ExpressionKey,
    MouthCue,
    MouthMap,
    PoseTrack,
    PoseTrackBuilder,
    frame_count,
    seed_from,
)
from kuchipaku_animation.options import MotionMode, MouthMode
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_pose.convert import expression_of, fps_of, pick
from kuchipaku_pose.models import PoseModel
from kuchipaku_pose.posespace import check_quantum

# What the animation's terms are called in the API.
_CUE_FIELDS: Mapping[str, str] = {"start": "start_offset", "end": "end_offset"}
_KEY_FIELDS: Mapping[str, str] = {
    "time": "start_offset",
    "fade": "fade_duration",
    "name": "expression",
}

# Offsets arrive rounded to nanoseconds; a frame that is due then is not before them.
_TOLERANCE_FRAMES = 1e-6

_MOUTHS: Mapping[int, MouthMode] = {
    animation_pb2.MOUTH_ANIMATION_COARTICULATED: "coarticulated",
    animation_pb2.MOUTH_ANIMATION_CLASSIC: "classic",
}
_MOTIONS: Mapping[int, MotionMode] = {
    animation_pb2.MOTION_FULL: "full",
    animation_pb2.MOTION_HEAD: "head",
    animation_pb2.MOTION_NONE: "none",
}


def complete_animation(
    options: animation_pb2.AnimationOptions, default_quantum: float, field: str
) -> animation_pb2.AnimationOptions:
    """Return animation options with all defaults filled in, the seed aside.

    Raises:
        InvalidArgumentError: a value is out of range or unknown; the field lies below ``field``.
    """
    complete = animation_pb2.AnimationOptions()
    complete.CopyFrom(options)
    complete.frames_per_second = fps_of(options.frames_per_second, f"{field}.frames_per_second")
    complete.mouth_animation = (
        options.mouth_animation or animation_pb2.MOUTH_ANIMATION_COARTICULATED
    )
    complete.motion = options.motion or animation_pb2.MOTION_FULL
    pick(_MOUTHS, complete.mouth_animation, f"{field}.mouth_animation")
    pick(_MOTIONS, complete.motion, f"{field}.motion")
    complete.expression = expression_of(options.expression, f"{field}.expression")
    mouth_of(options.mouth_overrides, THA_MOUTH_MAP, field)
    if options.HasField("quantum"):
        check_quantum(options.quantum, field=f"{field}.quantum")
    else:
        complete.quantum = default_quantum
    return complete


def mouth_of(
    overrides: Mapping[str, animation_pb2.MouthOverride], model_map: MouthMap, field: str
) -> MouthMap:
    """The model's mouth map with the character's own shapes.

    Raises:
        InvalidArgumentError: MOUTH_MAP_INVALID; the field lies below ``field``.mouth_overrides.
    """
    changed, where = model_map, f"{field}.mouth_overrides"
    # One after the other: of a million shapes that do not exist one is looked at.
    for letter, override in overrides.items():
        # With one weight more than there are, one is unknown, and refused by its name.
        weights = dict(islice(override.weights.items(), len(VOWEL_NAMES) + 1))
        change: dict[str, Any] = {"weights": weights} if weights else {}
        if override.HasField("dominance"):
            change["dominance"] = override.dominance
        if override.HasField("loudness_sensitivity"):
            change["loudness_sensitivity"] = override.loudness_sensitivity
        changed = changed.overridden({letter: change}, where=where)
    return changed


@dataclass(frozen=True, slots=True)
class Opening:
    """What begins an utterance."""

    utterance_id: str
    options: animation_pb2.AnimationOptions
    """Completed by `complete_animation`."""
    seed: int
    resume_s: float = 0.0
    """Frames before this offset are not made."""


def seed_of(options: animation_pb2.AnimationOptions, character: str, utterance_id: str) -> int:
    """Return the seed asked for, or one that the character and the utterance always get."""
    if options.HasField("seed"):
        return options.seed
    return seed_from(character, utterance_id)


@dataclass(frozen=True, slots=True)
class PulledPoses:
    """Frames of an utterance, just made."""

    track: PoseTrack
    known_at: list[float]
    """For each frame the time at which the last input that it needs came."""


class Utterance:
    """One utterance, open until `end`. Its poses are made when they are pulled, not before."""

    def __init__(
        self, opening: Opening, model: PoseModel, clock: Callable[[], float] = time.monotonic
    ) -> None:
        options = opening.options
        self.utterance_id = opening.utterance_id
        self.seed = opening.seed
        self.fps = options.frames_per_second
        self.interrupted = False
        self.size = 0
        """Cues and expression keys held."""
        self.starts_at: float | None = None
        """When its offset 0 is due, by the scheduler's clock, if the caller has said so."""
        self._opening, self._model, self._clock = opening, model, clock
        self._duration_s = 0.0
        self._first_frame = max(0, math.ceil(opening.resume_s * self.fps - _TOLERANCE_FRAMES))
        self._known: deque[tuple[int, float]] = deque()
        self._builder = self._make_builder()
        if options.expression != "neutral":
            self._builder.push_expressions(
                [ExpressionKey(0.0, options.expression, fade=0.0)], field="animation.expression"
            )

    @property
    def look_ahead_s(self) -> float | None:
        """How far beyond a frame its cues must be known; None: until the next cue begins."""
        ahead = self._builder.look_ahead_s
        return ahead if math.isfinite(ahead) else None

    @property
    def exhausted(self) -> bool:
        """Whether it has ended and all its frames have been pulled."""
        return self._builder.exhausted

    @property
    def duration_s(self) -> float:
        """Length of an exhausted utterance: where its input ended, or its frames if later."""
        # One that is resumed behind its end has no frames.
        if self._has_begun and self._builder.next_frame > frame_count(self._duration_s, self.fps):
            return self._builder.next_time_s
        return self._duration_s

    def frames_before(self, offset_s: float) -> int:
        """Return how many of the frames still to be pulled lie before an offset."""
        if offset_s == -math.inf:
            return 0
        return max(0, math.ceil(offset_s * self.fps) - self._builder.next_frame)

    def push_cues(self, cues: Sequence[MouthCue], *, first: int = 0) -> None:
        """Add cues, which begin with number ``first`` of their message.

        Raises:
            InvalidArgumentError: unsorted, overlapping, out of range or too many.
        """
        with _told_as(_CUE_FIELDS):
            self._builder.push_cues(cues, field="cues.cues", first=first)
        self.size += len(cues)
        if cues:
            self._duration_s = cues[-1].end
        self._mark()

    def push_expressions(self, keys: Sequence[ExpressionKey]) -> None:
        """Add expression changes; those for frames already pulled act from the next frame on.

        Raises:
            InvalidArgumentError: unsorted, unknown or out of range.
        """
        earliest = self._builder.next_time_s if self._has_begun else 0.0
        moved = [replace(key, time=max(key.time, earliest)) for key in keys]
        with _told_as(_KEY_FIELDS):
            self._builder.push_expressions(moved, field="expressions.keys")
        self.size += len(keys)

    def end(self, duration_s: float | None) -> None:
        """End the input: frames go up to ``duration_s`` or the end of the last cue.

        Raises:
            InvalidArgumentError: DURATION_INVALID.
        """
        try:
            self._builder.end(duration_s)
        except InvalidArgumentError as error:
            error.field = "utterance_end.duration"
            raise
        if duration_s is not None:
            self._duration_s = duration_s
        self._mark()

    def interrupt(self) -> None:
        """Mark as interrupted and forget everything that was to come."""
        self.interrupted = True
        self.size = 0
        self._known.clear()
        self._builder = self._make_builder()

    def pull(self, limit: int) -> PulledPoses:
        """Make the next frames whose input is there, at most ``limit``."""
        track = self._builder.pull(limit)
        known_at = []
        for frame in range(track.first_frame, track.first_frame + len(track)):
            while self._known[0][0] <= frame:
                self._known.popleft()
            known_at.append(self._known[0][1])
        return PulledPoses(track, known_at)

    @property
    def _has_begun(self) -> bool:
        """Whether a frame has been pulled."""
        return self._builder.next_frame > self._first_frame

    def _mark(self) -> None:
        ready = self._builder.ready_frame
        if ready > (self._known[-1][0] if self._known else self._builder.next_frame):
            self._known.append((ready, self._clock()))

    def _make_builder(self) -> PoseTrackBuilder:
        return PoseTrackBuilder(
            _animation_options(self._opening.options, self._opening.seed),
            mouth_of(self._opening.options.mouth_overrides, self._model.mouth_map, "animation"),
            first_frame=self._first_frame,
        )


@contextmanager
def _told_as(names: Mapping[str, str]) -> Iterator[None]:
    """Name the field of an error as callers know it: the last part of its path is renamed."""
    try:
        yield
    except InvalidArgumentError as error:
        theirs = error.field or ""
        path, dot, last = theirs.rpartition(".")
        error.field = f"{path}{dot}{names.get(last, last)}"
        if theirs:
            error.message = error.message.replace(theirs, error.field)
        raise


def _animation_options(options: animation_pb2.AnimationOptions, seed: int) -> AnimationOptions:
    return AnimationOptions(
        fps=options.frames_per_second,
        mouth=_MOUTHS[options.mouth_animation],
        motion=_MOTIONS[options.motion],
        seed=seed,
        blink=not options.blink_disabled,
        breathing=not options.breathing_disabled,
        sway=not options.sway_disabled,
        quantum=options.quantum,
    )
