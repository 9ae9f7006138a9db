"""Named expressions as poses, blended over time.

Expressions own brows, eyes, irises and the corners of the mouth; speech owns the vowels. Where
both meet at the corners, see ``blend_corners``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from kuchipaku_animation.coarticulation import smoothstep
from kuchipaku_animation.poses import PARAMETER_INDEX, POSE_SIZE, FloatArray
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

RAISED_CORNER_DAMPING: Final = 0.6
"""Share of a raised corner that a wide open mouth takes away."""
SHUT_ENOUGH: Final = 0.3
"""Opening from which on lowered corners and smirk are gone."""


@dataclass(frozen=True, slots=True)
class ExpressionKey:
    """From ``time`` on the face goes over to an expression.

    A fade of 0 switches at once: use it at time 0 to begin with an expression.
    """

    time: float
    """Seconds from the utterance's start."""
    name: str
    """A name of ``EXPRESSIONS``."""
    strength: float = 1.0
    """0..1; 0 is neutral."""
    fade: float = 0.3
    """Length of the transition in seconds."""


def _both(**groups: float) -> dict[str, float]:
    return {f"{group}_{side}": v for group, v in groups.items() for side in ("left", "right")}


EXPRESSIONS: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        "neutral": {},
        "happy": _both(eyebrow_happy=0.7, eye_raised_lower_eyelid=0.35, mouth_raised_corner=0.9),
        "joyful": _both(eyebrow_happy=1.0, eye_happy_wink=1.0, mouth_raised_corner=1.0),
        "angry": _both(
            eyebrow_angry=1.0,
            eyebrow_lowered=0.35,
            eye_raised_lower_eyelid=0.25,
            mouth_lowered_corner=0.8,
        ),
        "sad": _both(
            eyebrow_troubled=1.0, eye_unimpressed=0.3, mouth_lowered_corner=0.9, iris_small=0.1
        )
        | {"iris_rotation_x": -0.2},
        "surprised": _both(eyebrow_raised=1.0, eye_surprised=1.0, iris_small=0.35),
        "relaxed": _both(eyebrow_happy=0.35, eye_relaxed=0.4, mouth_raised_corner=0.5),
        "troubled": _both(eyebrow_troubled=0.8, mouth_lowered_corner=0.4),
        "smug": _both(eyebrow_serious=0.35, eye_unimpressed=0.45)
        | {"eyebrow_raised_left": 0.5, "mouth_smirk": 1.0, "mouth_raised_corner_left": 0.3},
        "embarrassed": _both(
            eyebrow_troubled=0.7, eye_unimpressed=0.25, mouth_raised_corner=0.3, iris_small=0.1
        )
        | {"iris_rotation_x": -0.25, "iris_rotation_y": 0.35},
        "serious": _both(eyebrow_serious=0.9, eye_unimpressed=0.15),
        "bored": _both(eyebrow_lowered=0.25, eye_unimpressed=0.8, mouth_lowered_corner=0.35),
        "scared": _both(
            eyebrow_troubled=1.0, eye_surprised=0.6, iris_small=0.6, mouth_lowered_corner=0.5
        ),
        "sleepy": _both(eyebrow_lowered=0.2, eye_relaxed=0.65),
        "thinking": _both(eyebrow_serious=0.4) | {"iris_rotation_x": 0.3, "iris_rotation_y": -0.4},
        "wink": _both(eyebrow_happy=0.6, mouth_raised_corner=0.8) | {"eye_happy_wink_left": 1.0},
    }
)
"""Every named expression: values of pose parameters, those left out are neutral."""


def expression_pose(name: str, strength: float = 1.0) -> FloatArray:
    """The pose of a named expression, float64 of shape (45,).

    Raises:
        KeyError: there is no such expression.
    """
    pose = np.zeros(POSE_SIZE)
    for parameter, value in EXPRESSIONS[name].items():
        pose[PARAMETER_INDEX[parameter]] = value * strength
    return pose


def validate_expressions(
    keys: Sequence[ExpressionKey], *, field: str = "expressions", not_before: float = 0.0
) -> None:
    """Check that expression keys are known, sorted and within the limits.

    Raises:
        InvalidArgumentError: the error's field names the key, e.g. ``expressions[2].fade``.
    """
    if len(keys) > LIMITS.max_expressions:
        raise _invalid(
            f"{len(keys)} expressions; at most {LIMITS.max_expressions} are accepted",
            field,
            reason="TOO_MANY_EXPRESSIONS",
        )
    previous = not_before
    for index, key in enumerate(keys):
        where = f"{field}[{index}]"
        if key.name not in EXPRESSIONS:
            raise _invalid(
                f"unknown expression {key.name!r}; known are {', '.join(EXPRESSIONS)}",
                f"{where}.name",
                reason="EXPRESSION_UNKNOWN",
            )
        _check_range(key.time, 0.0, LIMITS.max_audio_duration_s, f"{where}.time")
        _check_range(key.strength, 0.0, 1.0, f"{where}.strength")
        _check_range(key.fade, 0.0, LIMITS.max_expression_fade_s, f"{where}.fade")
        if key.time < previous:
            raise _invalid(
                f"expression at {key.time:g} s comes after {previous:g} s; expressions must be "
                "sorted by time and must not reach into what has been played",
                f"{where}.time",
                reason="EXPRESSIONS_NOT_SORTED",
            )
        previous = key.time


def blend_expressions(keys: Sequence[ExpressionKey], times: FloatArray) -> FloatArray:
    """Expression poses at ``times`` (n,), float64 of shape (n, 45).

    Each key fades in over whatever the keys before it show, so that a change in mid-fade starts
    from the face of that moment. Before the first key the face is neutral.
    """
    faces = np.zeros((len(times), POSE_SIZE))
    if not keys:
        return faces
    key_times = np.array([key.time for key in keys])
    fades = np.array([key.fade for key in keys])
    poses = np.stack([expression_pose(key.name, key.strength) for key in keys])
    index = np.searchsorted(key_times, times, side="right") - 1
    remaining = np.where(index >= 0, 1.0, 0.0)
    # From the newest key back to the older ones that still shine through its fade.
    while (open_frames := np.flatnonzero(remaining > 0.0)).size:
        key = index[open_frames]
        fade = fades[key]
        elapsed = times[open_frames] - key_times[key]
        arrived = np.where(
            elapsed >= fade, 1.0, smoothstep(elapsed / np.where(fade > 0.0, fade, 1.0))
        )
        faces[open_frames] += (remaining[open_frames] * arrived)[:, None] * poses[key]
        remaining[open_frames] *= 1.0 - arrived
        index[open_frames] -= 1
        remaining[index < 0] = 0.0
    return faces


def blend_corners(faces: FloatArray, opening: FloatArray) -> None:
    """Fit the corners of the mouth to the speech, in place.

    The rule: vowels belong to speech, corners and smirk to the expression. Raised corners stay
    while the mouth opens, damped in proportion, since an open vowel already spreads the lips;
    lowered corners and smirk fade as soon as the mouth opens, since networks draw them well on
    closed lips only (the author of THA3 drives lowered corners while the mouth is closed alone).

    ``faces`` is (n, 45), ``opening`` (n,) the sum of the vowel weights.
    """
    raised = [PARAMETER_INDEX[f"mouth_raised_corner_{side}"] for side in ("left", "right")]
    shut_only = [
        PARAMETER_INDEX[name]
        for name in ("mouth_lowered_corner_left", "mouth_lowered_corner_right", "mouth_smirk")
    ]
    faces[:, raised] *= (1.0 - RAISED_CORNER_DAMPING * opening)[:, None]
    faces[:, shut_only] *= (1.0 - smoothstep(opening / SHUT_ENOUGH))[:, None]


def close_eyes(faces: FloatArray, closed: FloatArray) -> None:
    """Close the eyes by ``closed`` (n,), 0..1, as far as the expression has left them open.

    ``faces`` is (n, 45) and changed in place. Eyes never close by more than 1 in sum, so an
    expression that shuts them suppresses blinks; widened eyes and raised lower lids give way,
    since a shut eye shows neither.
    """
    for side in ("left", "right"):
        wink = PARAMETER_INDEX[f"eye_wink_{side}"]
        shut = (
            wink,
            PARAMETER_INDEX[f"eye_happy_wink_{side}"],
            PARAMETER_INDEX[f"eye_relaxed_{side}"],
        )
        present = np.minimum(faces[:, shut[0]] + faces[:, shut[1]] + faces[:, shut[2]], 1.0)
        faces[:, wink] += closed * (1.0 - present)
        for widened in ("eye_surprised", "eye_raised_lower_eyelid"):
            faces[:, PARAMETER_INDEX[f"{widened}_{side}"]] *= 1.0 - closed


def _check_range(value: float, low: float, high: float, where: str) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise _invalid(f"{where} must lie in {low:g}..{high:g}, is {value}", where)


def _invalid(
    message: str, field: str, reason: str = "EXPRESSION_KEY_INVALID"
) -> InvalidArgumentError:
    return InvalidArgumentError(message, reason=reason, field=field)
