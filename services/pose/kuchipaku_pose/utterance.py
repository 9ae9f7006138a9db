"""Utterances of a live session: cues and expressions in, poses of one model out."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kuchipaku.type.v1 import animation_pb2
from kuchipaku_animation import (
    AnimationOptions,
    ExpressionKey,
    MouthCue,
    PoseTrack,
    PoseTrackBuilder,
    seed_from,
)
from kuchipaku_animation.options import MotionMode, MouthMode
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_pose.convert import expression_of, fps_of, pick
from kuchipaku_pose.models import PoseModel
from kuchipaku_pose.posespace import check_quantum

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
    if options.HasField("quantum"):
        check_quantum(options.quantum, field=f"{field}.quantum")
    else:
        complete.quantum = default_quantum
    return complete


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


class Utterance:
    """One utterance, open until `end`.

    One thread at a time may add to it while another takes from it.
    """

    def __init__(self, opening: Opening, model: PoseModel) -> None:
        options = opening.options
        self.utterance_id = opening.utterance_id
        self.seed = opening.seed
        self.fps = options.frames_per_second
        self.quantum = options.quantum
        self.interrupted = False
        self.complete = False
        """Whether all tracks have been made."""
        self.duration_s = 0.0
        """Length; of an open utterance, where its cues end."""
        self._first_frame = max(0, math.ceil(opening.resume_s * self.fps - _TOLERANCE_FRAMES))
        self._cue_count = 0
        self._tracks: deque[PoseTrack] = deque()
        self._builder = PoseTrackBuilder(
            _animation_options(options, opening.seed),
            model.mouth_map,
            first_frame=self._first_frame,
        )
        if options.expression != "neutral":
            self._builder.push_expressions(
                [ExpressionKey(0.0, options.expression, fade=0.0)], field="animation.expression"
            )

    @property
    def look_ahead_s(self) -> float | None:
        """How far beyond a frame its cues must be known; None: until the next cue begins."""
        ahead = self._builder.look_ahead_s
        return ahead if math.isfinite(ahead) else None

    def push_cues(self, cues: Sequence[MouthCue]) -> None:
        """Add cues.

        Raises:
            InvalidArgumentError: unsorted, overlapping, out of range or too many.
        """
        self._cue_count += len(cues)
        if self._cue_count > LIMITS.max_cues:
            raise InvalidArgumentError(
                f"More than {LIMITS.max_cues} cues in one utterance.",
                reason="TOO_MANY_CUES",
                field="cues.cues",
                maximum=LIMITS.max_cues,
            )
        self._builder.push_cues(cues, field="cues.cues")
        if cues:
            self.duration_s = cues[-1].end
        self._tracks.append(self._builder.pull())

    def push_expressions(self, keys: Sequence[ExpressionKey]) -> None:
        """Add expression changes; those for frames already made act from the next frame on.

        Raises:
            InvalidArgumentError: unsorted, unknown or out of range.
        """
        played = self._builder.next_frame > self._first_frame
        earliest = self._builder.next_time_s if played else 0.0
        moved = [replace(key, time=max(key.time, earliest)) for key in keys]
        self._builder.push_expressions(moved, field="expressions.keys")

    def end(self, duration_s: float | None) -> None:
        """Make the remaining frames, up to ``duration_s`` or the end of the last cue.

        Raises:
            InvalidArgumentError: DURATION_INVALID.
        """
        if duration_s is not None:
            self.duration_s = duration_s
        try:
            self._tracks.append(self._builder.finish(duration_s))
        except InvalidArgumentError as error:
            error.field = "utterance_end.duration"
            raise
        self.complete = True

    def take(self) -> list[PoseTrack]:
        """Return the tracks made since the last call, those without frames left out."""
        tracks = []
        while self._tracks:  # one by one: another thread may be adding
            tracks.append(self._tracks.popleft())
        return [track for track in tracks if len(track)]


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
