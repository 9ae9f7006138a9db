"""Random poses: a mix that resembles what animation asks for, and mirroring of poses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_animation.poses import PARAMETER_INDEX, PARAMETER_NAMES
from kuchipaku_training.pose.layout import FACE_POSE_SIZE, HEAD_POSE_SIZE, POSE_SIZE

Pose = NDArray[np.float32]

VOWELS: Final = ("mouth_aaa", "mouth_iii", "mouth_uuu", "mouth_eee", "mouth_ooo", "mouth_delta")
_BROWS: Final = ("troubled", "angry", "lowered", "raised", "happy", "serious")
_LIDS: Final = ("wink", "happy_wink", "surprised", "relaxed", "unimpressed", "raised_lower_eyelid")
_SIGNED: Final = frozenset(
    ("iris_rotation_x", "iris_rotation_y", "head_x", "head_y", "neck_z", "body_y", "body_z")
)
#: Parameters that turn something to a side: a mirrored picture has them negated.
_SIDED: Final = ("iris_rotation_y", "head_y", "neck_z", "body_y", "body_z")
_SMIRK: Final = PARAMETER_INDEX["mouth_smirk"]


def _set(pose: Pose, name: str, value: float) -> None:
    if name in PARAMETER_INDEX:
        pose[PARAMETER_INDEX[name]] = value
    else:
        pose[PARAMETER_INDEX[f"{name}_left"]] = value
        pose[PARAMETER_INDEX[f"{name}_right"]] = value


def _strength(rng: np.random.Generator) -> float:
    """Draw a weight 0..1 that often is large, for a weak pose teaches little."""
    return float(np.sqrt(rng.uniform(0.01, 1.0)))


def _add_viseme(pose: Pose, rng: np.random.Generator) -> None:
    first, second = rng.choice(len(VOWELS), 2, replace=False)
    if rng.random() < 0.65:
        _set(pose, VOWELS[first], _strength(rng))
        return
    share = rng.uniform(0.2, 0.8)
    total = _strength(rng)
    _set(pose, VOWELS[first], share * total)
    _set(pose, VOWELS[second], (1.0 - share) * total)


def _add_corners(pose: Pose, rng: np.random.Generator) -> None:
    names = ("mouth_raised_corner", "mouth_lowered_corner", "mouth_smirk")
    _set(pose, names[int(rng.choice(3, p=[0.5, 0.3, 0.2]))], _strength(rng))


def _add_blink(pose: Pose, rng: np.random.Generator) -> None:
    name = str(rng.choice(["eye_wink", "eye_happy_wink", "eye_relaxed"], p=[0.65, 0.2, 0.15]))
    # A blink is mostly met half way or shut.
    _set(pose, name, float(rng.choice([rng.uniform(0.1, 0.95), 1.0])))


def _add_lids(pose: Pose, rng: np.random.Generator) -> None:
    name = f"eye_{rng.choice(_LIDS)}"
    value = _strength(rng)
    if rng.random() < 0.25:
        _set(pose, f"{name}_{rng.choice(['left', 'right'])}", value)
    else:
        _set(pose, name, value)


def _add_brows(pose: Pose, rng: np.random.Generator) -> None:
    name = f"eyebrow_{rng.choice(_BROWS)}"
    value = _strength(rng)
    if rng.random() < 0.2:
        _set(pose, f"{name}_left", value)
        _set(pose, f"{name}_right", float(rng.uniform(0.0, value)))
    else:
        _set(pose, name, value)


def _add_gaze(pose: Pose, rng: np.random.Generator) -> None:
    _set(pose, "iris_rotation_x", float(rng.uniform(-1.0, 1.0)))
    _set(pose, "iris_rotation_y", float(rng.uniform(-1.0, 1.0)))
    if rng.random() < 0.2:
        _set(pose, "iris_small", _strength(rng))


def _mouth_only(pose: Pose, rng: np.random.Generator) -> None:
    _add_viseme(pose, rng)
    if rng.random() < 0.3:
        _add_corners(pose, rng)


def _single(pose: Pose, rng: np.random.Generator) -> None:
    index = int(rng.integers(FACE_POSE_SIZE))
    value = _strength(rng)
    sign = -1.0 if PARAMETER_NAMES[index] in _SIGNED and rng.random() < 0.5 else 1.0
    pose[index] = sign * value


def _speech(pose: Pose, rng: np.random.Generator) -> None:
    _add_viseme(pose, rng)
    if rng.random() < 0.55:
        _add_blink(pose, rng)
    if rng.random() < 0.4:
        _add_gaze(pose, rng)
    if rng.random() < 0.5:
        _add_brows(pose, rng)
    if rng.random() < 0.25:
        _add_corners(pose, rng)


def _expression(pose: Pose, rng: np.random.Generator) -> None:
    _add_brows(pose, rng)
    _add_lids(pose, rng)
    if rng.random() < 0.6:
        _add_corners(pose, rng)
    if rng.random() < 0.4:
        _add_viseme(pose, rng)
    if rng.random() < 0.3:
        _add_gaze(pose, rng)


def _gaze(pose: Pose, rng: np.random.Generator) -> None:
    _add_gaze(pose, rng)
    if rng.random() < 0.4:
        _add_lids(pose, rng)


#: Kinds of facial pose, with the share of each.
FACE_KINDS: Final[dict[str, tuple[float, Callable[[Pose, np.random.Generator], None]]]] = {
    "mouth": (0.26, _mouth_only),
    "single": (0.12, _single),
    "speech": (0.26, _speech),
    "expression": (0.22, _expression),
    "gaze": (0.14, _gaze),
}

#: Kinds of head and body pose, with the share and the reach of each.
HEAD_KINDS: Final[dict[str, tuple[float, float]]] = {
    "one axis": (0.3, 1.0),
    "sway": (0.35, 0.45),
    "wide": (0.35, 1.0),
}


def sample_face(rng: np.random.Generator) -> tuple[str, Pose]:
    """Draw a facial pose. Returns its kind and float32 (39,)."""
    kinds = list(FACE_KINDS)
    kind = kinds[int(rng.choice(len(kinds), p=[share for share, _ in FACE_KINDS.values()]))]
    pose = np.zeros(POSE_SIZE, np.float32)
    FACE_KINDS[kind][1](pose, rng)
    return kind, pose[:FACE_POSE_SIZE]


def sample_head(rng: np.random.Generator) -> tuple[str, Pose]:
    """Draw a head and body pose. Returns its kind and float32 (6,): five axes and breathing."""
    kinds = list(HEAD_KINDS)
    kind = kinds[int(rng.choice(len(kinds), p=[share for share, _ in HEAD_KINDS.values()]))]
    reach = HEAD_KINDS[kind][1]
    pose = np.zeros(HEAD_POSE_SIZE, np.float32)
    if kind == "one axis":
        pose[rng.integers(5)] = rng.choice([-1.0, 1.0]) * _strength(rng)
    else:
        pose[:5] = rng.uniform(-reach, reach, 5)
    if rng.random() < 0.7:
        pose[5] = rng.uniform(0.0, 1.0)
    return kind, pose


def _mirror_permutation() -> NDArray[np.int64]:
    def mirrored(name: str) -> str:
        if name.endswith("_left"):
            return f"{name.removesuffix('_left')}_right"
        if name.endswith("_right"):
            return f"{name.removesuffix('_right')}_left"
        return name

    return np.array([PARAMETER_INDEX[mirrored(name)] for name in PARAMETER_NAMES])


_MIRROR_ORDER: Final = _mirror_permutation()
_MIRROR_SIGN: Final = np.array(
    [-1.0 if name in _SIDED else 1.0 for name in PARAMETER_NAMES], np.float32
)


def mirror(poses: Pose) -> Pose:
    """Return the poses of the mirrored pictures: sides swapped, turns to a side negated.

    `poses`: float32 (..., 45). A smirk is one-sided and has no mirrored parameter: see
    `can_mirror`.
    """
    return poses[..., _MIRROR_ORDER] * _MIRROR_SIGN


def can_mirror(poses: Pose) -> bool:
    """Tell whether every pose of `poses` (..., 45) has a mirrored counterpart."""
    return not bool(np.any(poses[..., _SMIRK] > 0.0))
