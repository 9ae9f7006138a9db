"""From cues and expressions to one pose per frame, in one go or as they come in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kuchipaku_animation.classic import ClassicKeyframes
from kuchipaku_animation.coarticulation import (
    FRAME_TOLERANCE,
    Coarticulation,
    coarticulation_look_ahead_s,
)
from kuchipaku_animation.cues import MouthCue
from kuchipaku_animation.expressions import (
    ExpressionKey,
    blend_corners,
    blend_expressions,
    close_eyes,
    validate_expressions,
)
from kuchipaku_animation.idle import idle_loop
from kuchipaku_animation.mouthmap import THA_MOUTH_MAP, MouthMap
from kuchipaku_animation.options import AnimationOptions
from kuchipaku_animation.poses import (
    PARAMETER_INDEX,
    VOWEL_SLICE,
    FloatArray,
    PoseArray,
    pose_maximum,
    pose_minimum,
)
from kuchipaku_animation.timeline import MouthTimeline
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

# No shape or closure reaches farther into the frames that follow it, or that go before it.
_REACH_S: Final = 0.25

_IRIS: Final = [PARAMETER_INDEX["iris_rotation_x"], PARAMETER_INDEX["iris_rotation_y"]]
_HEAD: Final = [PARAMETER_INDEX[name] for name in ("head_x", "head_y", "neck_z")]
_BODY: Final = [PARAMETER_INDEX[name] for name in ("body_y", "body_z")]
_BREATHING: Final = PARAMETER_INDEX["breathing"]


@dataclass(frozen=True, slots=True)
class PoseTrack:
    """Poses at a constant frame rate."""

    first_frame: int
    """Number of the first frame; frame k is due at k / fps."""
    times: FloatArray
    """(n,) seconds from the utterance's start, float64."""
    poses: PoseArray
    """(n, 45) float32, in the order of ``PARAMETER_NAMES``, within ``PARAMETER_RANGES``."""

    def __len__(self) -> int:
        return len(self.times)


def frame_count(duration_s: float, fps: float) -> int:
    """How many frames a duration has: all that are due before its end."""
    return max(0, math.ceil(duration_s * fps - FRAME_TOLERANCE))


def animate(
    cues: Sequence[MouthCue],
    expressions: Sequence[ExpressionKey] = (),
    duration_s: float | None = None,
    options: AnimationOptions | None = None,
    mouth_map: MouthMap = THA_MOUTH_MAP,
) -> PoseTrack:
    """Animate a whole utterance.

    Args:
        cues: sorted, without overlaps; gaps are rest.
        expressions: sorted by time; a key of fade 0 at time 0 sets the first face.
        duration_s: length of the utterance in seconds, by default the end of the last cue.
        options: how to animate.
        mouth_map: what the mouth shapes mean to the pose model.

    Raises:
        InvalidArgumentError: an input is out of range; the error's field names it.
    """
    builder = PoseTrackBuilder(options or AnimationOptions(), mouth_map)
    builder.push_cues(cues)
    builder.push_expressions(expressions)
    return builder.finish(duration_s)


class PoseTrackBuilder:
    """Animates an utterance whose cues are still coming in.

    Push cues and expressions in order and pull the poses that no cue can change any more. Nothing
    is made before it is pulled, so that expressions may still come and memory stays small. The
    poses equal those of ``animate``, bit for bit, however the input and the pulls were cut::

        builder = PoseTrackBuilder(options, mouth_map)
        for cues in stream:
            builder.push_cues(cues)
            render(builder.pull(8))
        builder.end(duration_s)
        while not builder.exhausted:
            render(builder.pull(8))

    ``first_frame`` leaves out the frames before it, to resume an utterance at an offset.
    """

    def __init__(
        self,
        options: AnimationOptions,
        mouth_map: MouthMap = THA_MOUTH_MAP,
        *,
        first_frame: int = 0,
    ) -> None:
        self._options = options
        self._timeline = MouthTimeline()
        self._expressions: list[ExpressionKey] = []
        self._expression_count = 0
        self._next_frame = max(0, first_frame)
        self._played_s = 0.0
        self._stop: int | None = None
        shapes = mouth_map.arrays()
        self._mouth: Coarticulation | ClassicKeyframes
        if options.mouth == "classic":
            self._mouth = ClassicKeyframes(options.fps, shapes.classic)
        else:
            self._mouth = Coarticulation(options.fps, options.mouth_lead_s, shapes)
        self._look_ahead_s = coarticulation_look_ahead_s(
            options.fps, options.mouth_lead_s, mouth_map
        )

    @property
    def look_ahead_s(self) -> float:
        """How far beyond a frame's time the cues must be known, in seconds: at most 0.12.

        Infinite for the classic mouth: a frame waits for the start of the next cue.
        """
        return math.inf if self._options.mouth == "classic" else self._look_ahead_s

    @property
    def next_frame(self) -> int:
        """Number of the frame that the next pull begins with."""
        return self._next_frame

    @property
    def next_time_s(self) -> float:
        """When that frame is due, in seconds."""
        return self._next_frame / self._options.fps

    def push_cues(self, cues: Sequence[MouthCue], *, field: str = "cues", first: int = 0) -> None:
        """Add cues that follow those before.

        Raises:
            InvalidArgumentError: see ``validate_cues``.
        """
        self._timeline.append(cues, field=field, first=first)

    def push_expressions(
        self, keys: Sequence[ExpressionKey], *, field: str = "expressions"
    ) -> None:
        """Add expressions that follow those before, none within what has been pulled.

        The earliest time is ``next_time_s`` once something has been pulled; a live caller moves
        late keys there.

        Raises:
            InvalidArgumentError: see ``validate_expressions``.
        """
        last_key_s = self._expressions[-1].time if self._expressions else 0.0
        validate_expressions(keys, field=field, not_before=max(last_key_s, self._played_s))
        if self._expression_count + len(keys) > LIMITS.max_expressions:
            raise InvalidArgumentError(
                f"more than {LIMITS.max_expressions} expressions in one utterance",
                reason="TOO_MANY_EXPRESSIONS",
                field=field,
            )
        self._expressions.extend(keys)
        self._expression_count += len(keys)

    def advance(self, until_s: float) -> None:
        """Promise that no cue starts before ``until_s``: silence so far becomes rest."""
        self._timeline.advance(until_s)

    def pull(self, limit: int | None = None) -> PoseTrack:
        """The next frames that no further cue can change, at most ``limit``; none is possible."""
        stop = self.ready_frame
        if limit is not None:
            stop = min(stop, self._next_frame + limit)
        return self._emit(stop)

    def end(self, duration_s: float | None = None) -> None:
        """Declare the input complete: an utterance of ``duration_s`` seconds.

        Without a duration the utterance ends with its last cue. A shorter one cuts it; frames that
        have been pulled beyond the duration stay as they are. No more may be pushed.

        Raises:
            InvalidArgumentError: the duration is negative, not finite or beyond the limit.
        """
        if duration_s is None:
            duration_s = self._timeline.last_end
        if not 0.0 <= duration_s <= LIMITS.max_audio_duration_s:
            raise InvalidArgumentError(
                f"duration must lie in 0..{LIMITS.max_audio_duration_s:g} s, is {duration_s}",
                reason="DURATION_INVALID",
                field="duration_s",
            )
        self._stop = frame_count(duration_s, self._options.fps)

    def finish(self, duration_s: float | None = None) -> PoseTrack:
        """``end``, and all remaining frames."""
        self.end(duration_s)
        return self.pull()

    @property
    def exhausted(self) -> bool:
        """Whether the input is complete and every frame has been pulled."""
        return self._stop is not None and self._next_frame >= self._stop

    @property
    def ready_frame(self) -> int:
        """Frames below this number can be pulled."""
        if self._stop is not None:
            return self._stop
        if self._options.mouth == "classic":
            return frame_count(self._timeline.last_boundary, self._options.fps)
        decided = self._timeline.known_until - self._look_ahead_s
        return max(0, math.floor(decided * self._options.fps) + 1)

    def _emit(self, stop: int) -> PoseTrack:
        first, stop = self._next_frame, max(stop, self._next_frame)
        fps = self._options.fps
        times = np.arange(first, stop) / fps
        segments = self._timeline.window(first / fps - _REACH_S, stop / fps + _REACH_S)
        vowels = self._mouth.weights(segments, first, stop)
        faces = blend_expressions(self._expressions, times)
        faces[:, VOWEL_SLICE] = vowels
        blend_corners(faces, vowels.sum(axis=1))
        if self._options.motion != "none":
            self._add_idle_life(faces, first)
        if stop > first:
            self._next_frame = stop
            self._played_s = self.next_time_s
            self._forget_expressions()
        return PoseTrack(first, times, _finalise(faces, self._options.quantum))

    def _forget_expressions(self) -> None:
        """Drop the keys that a later one has covered for good."""
        for index in range(len(self._expressions) - 1, 0, -1):
            key = self._expressions[index]
            if self._played_s - key.time >= key.fade:
                del self._expressions[:index]
                return

    def _add_idle_life(self, faces: FloatArray, first: int) -> None:
        options = self._options
        loop = idle_loop(options.fps, options.loop_s, options.seed, options.utterance_seed)
        row = np.arange(first, first + len(faces)) % loop.length
        if options.gaze:
            faces[:, _IRIS] += loop.iris[row]
        if options.blink:
            close_eyes(faces, loop.blink[row])
        if options.sway:
            faces[:, _HEAD] += loop.head[row]
        if options.motion == "full":
            if options.sway:
                faces[:, _BODY] += loop.body[row]
            if options.breathing:
                faces[:, _BREATHING] += loop.breathing[row]


def _finalise(faces: FloatArray, quantum: float) -> PoseArray:
    """Clip to the parameters' ranges and round to multiples of ``quantum``; (n, 45) float32."""
    poses = np.clip(faces, pose_minimum(), pose_maximum())
    if quantum > 0.0:
        vowels = poses[:, VOWEL_SLICE] / quantum
        poses = np.round(poses / quantum) * quantum
        # Rounding up several vowels at once could open the mouth beyond its limit.
        too_wide = poses[:, VOWEL_SLICE].sum(axis=1) > 1.0
        poses[too_wide, VOWEL_SLICE] = (np.floor(vowels) * quantum)[too_wide]
        poses = np.clip(poses, pose_minimum(), pose_maximum())
    return poses.astype(np.float32)
