"""How a character is animated."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Final, Literal, get_args

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

MouthMode = Literal["coarticulated", "classic"]
MotionMode = Literal["full", "head", "none"]

MAX_MOUTH_LEAD_S: Final = 0.03
MIN_QUANTUM: Final = 1e-6
"""Finest rounding. Of a finer one 32-bit floats, as poses are, would show nothing but their own."""
MAX_QUANTUM: Final = 0.25
"""Coarsest rounding."""
MIN_LOOP_S: Final = 4.0
MAX_LOOP_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class AnimationOptions:
    """Options of one animation.

    Raises:
        InvalidArgumentError: on construction, if a value is out of range; the error's field is
            the name of the option.
    """

    fps: float = 25.0
    """Frames per second, 1..60."""
    mouth: MouthMode = "coarticulated"
    """``coarticulated``: dominance blending with guaranteed lip closures; ``classic``: linear
    keyframes from cue to cue."""
    motion: MotionMode = "full"
    """``full``: everything moves; ``head``: body and breathing stay still; ``none``: only mouth
    and expressions move, without blinks or gaze."""
    seed: int = 0
    """Seed of the character's idle life."""
    utterance_seed: int = 0
    """Seed of the utterance; the same pair of seeds gives the same idle life."""
    blink: bool = True
    breathing: bool = True
    sway: bool = True
    """Slow movement of head and body."""
    gaze: bool = True
    """Small eye movements away from the viewer and back."""
    loop_s: float = 10.0
    """Period of the idle life in seconds, 4..60; rounded to whole steps of the head's motion."""
    quantum: float = 0.0
    """Pose values are rounded to multiples of this so that poses recur; 0 is exact, others lie in
    1e-6..0.25. The error is at most half a quantum per parameter, for vowels that would sum to
    more than 1 at most one quantum."""
    mouth_lead_s: float = 0.025
    """How far the coarticulated mouth runs ahead of the sound, as faces do; 0..0.03 s."""

    def __post_init__(self) -> None:
        _check_range("fps", self.fps, LIMITS.min_fps, LIMITS.max_fps)
        _check_choice("mouth", self.mouth, get_args(MouthMode))
        _check_choice("motion", self.motion, get_args(MotionMode))
        _check_range("loop_s", self.loop_s, MIN_LOOP_S, MAX_LOOP_S)
        if not is_quantum(self.quantum):
            raise InvalidArgumentError(
                f"quantum must be 0 or lie in {MIN_QUANTUM:g}..{MAX_QUANTUM:g}, is {self.quantum}",
                reason="ANIMATION_OPTION_INVALID",
                field="quantum",
            )
        _check_range("mouth_lead_s", self.mouth_lead_s, 0.0, MAX_MOUTH_LEAD_S)


def is_quantum(value: float) -> bool:
    """Whether poses can be rounded to multiples of ``value``; 0 stands for exact ones."""
    return value == 0.0 or MIN_QUANTUM <= value <= MAX_QUANTUM


def seed_from(*parts: str | int) -> int:
    """A stable seed (0 .. 2**63-1) from identifiers, e.g. a character's and an utterance's."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidArgumentError(
            f"{name} must lie in {low:g}..{high:g}, is {value}",
            reason="ANIMATION_OPTION_INVALID",
            field=name,
        )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidArgumentError(
            f"{name} must be one of {', '.join(choices)}, is {value!r}",
            reason="ANIMATION_OPTION_INVALID",
            field=name,
        )
