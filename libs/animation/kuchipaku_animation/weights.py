"""The mouth as weights of common face rigs: ARKit's blend shapes, the visemes of OVR, THA's mouth.

The same cues, loudness and coarticulation as for the pose model; only the targets differ. What
ARKit's coefficients mean: developer.apple.com/documentation/arkit/arfaceanchor/blendshapelocation;
OVR's visemes: developers.meta.com/horizon/documentation/unity/audio-ovrlipsync-viseme-reference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from kuchipaku_animation.coarticulation import Coarticulation
from kuchipaku_animation.cues import MouthCue, MouthShape
from kuchipaku_animation.mouthmap import SHAPES, THA_MOUTH_MAP, MouthMap, ShapeArrays
from kuchipaku_animation.options import AnimationOptions
from kuchipaku_animation.poses import VOWEL_NAMES, FloatArray
from kuchipaku_animation.timeline import MouthTimeline
from kuchipaku_animation.track import frame_count
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

_PAIRED: Final = ("mouthStretch", "mouthPress", "mouthLowerDown", "mouthUpperUp", "mouthSmile")


@dataclass(frozen=True, slots=True)
class WeightSet:
    """Names of a rig's weights and what each mouth shape sets them to, 0..1."""

    name: str
    columns: tuple[str, ...]
    targets: Mapping[MouthShape, Mapping[str, float]]
    follows_loudness: frozenset[str]
    """Weights that open further the louder it is; the others stay, as lips do."""
    rest: str | None = None
    """The weight that takes what the others leave of 1."""

    def arrays(self, mouth_map: MouthMap) -> ShapeArrays:
        """The set with dominances, reaches and sensitivities of a mouth map."""
        targets = np.array(
            [[self.targets[shape].get(name, 0.0) for name in self.columns] for shape in SHAPES]
        )
        loud = np.array([float(name in self.follows_loudness) for name in self.columns])
        return replace(mouth_map.arrays(), targets=targets, follows_loudness=loud, classic=targets)


@dataclass(frozen=True, slots=True)
class WeightTrack:
    """Weights at a constant frame rate."""

    names: tuple[str, ...]
    fps: float
    times: FloatArray
    """(n,) seconds from the utterance's start."""
    weights: FloatArray
    """(n, len(names)), 0..1."""


def animate_weights(
    cues: Sequence[MouthCue],
    duration_s: float,
    weight_set: WeightSet,
    options: AnimationOptions | None = None,
    mouth_map: MouthMap = THA_MOUTH_MAP,
) -> WeightTrack:
    """Weights of the frames of a whole utterance.

    Of `options` the frame rate and the mouth's lead count; the mouth is always coarticulated, and
    `mouth_map` says how shapes prevail against each other. Raises InvalidArgumentError as
    `animate`.
    """
    options = options or AnimationOptions()
    if not (math.isfinite(duration_s) and 0.0 <= duration_s <= LIMITS.max_audio_duration_s):
        raise InvalidArgumentError(
            f"duration must lie in 0..{LIMITS.max_audio_duration_s:g} s, is {duration_s}",
            reason="DURATION_INVALID",
            field="duration_s",
        )
    timeline = MouthTimeline()
    timeline.append(cues)
    count = frame_count(duration_s, options.fps)
    mouth = Coarticulation(options.fps, options.mouth_lead_s, weight_set.arrays(mouth_map))
    segments = timeline.window(-1.0, duration_s + 1.0)
    weights = np.clip(mouth.weights(segments, 0, count), 0.0, 1.0)
    if weight_set.rest is not None:
        rest = weight_set.columns.index(weight_set.rest)
        weights[:, rest] += np.maximum(1.0 - weights.sum(axis=1), 0.0)
    return WeightTrack(weight_set.columns, options.fps, np.arange(count) / options.fps, weights)


def _both_sides(weights: Mapping[str, float]) -> dict[str, float]:
    """Paired coefficients spelt out for the left and the right side."""
    result = {}
    for name, weight in weights.items():
        sides = ("Left", "Right") if name in _PAIRED else ("",)
        result.update({f"{name}{side}": weight for side in sides})
    return result


_ARKIT_TARGETS: Final[Mapping[MouthShape, Mapping[str, float]]] = {
    MouthShape.A: {"mouthPress": 0.35, "mouthRollLower": 0.25, "mouthRollUpper": 0.15},
    MouthShape.B: {
        "jawOpen": 0.06,
        "mouthStretch": 0.2,
        "mouthLowerDown": 0.25,
        "mouthUpperUp": 0.15,
        "mouthSmile": 0.1,
    },
    MouthShape.C: {
        "jawOpen": 0.28,
        "mouthStretch": 0.15,
        "mouthLowerDown": 0.3,
        "mouthUpperUp": 0.15,
    },
    MouthShape.D: {"jawOpen": 0.55, "mouthLowerDown": 0.35, "mouthUpperUp": 0.2},
    MouthShape.E: {"jawOpen": 0.3, "mouthFunnel": 0.4, "mouthPucker": 0.1},
    MouthShape.F: {"jawOpen": 0.1, "mouthFunnel": 0.3, "mouthPucker": 0.65},
    MouthShape.G: {"jawOpen": 0.05, "mouthRollLower": 0.45, "mouthUpperUp": 0.25},
    MouthShape.H: {"jawOpen": 0.26, "mouthLowerDown": 0.3, "mouthUpperUp": 0.1},
    MouthShape.X: {},
}
_ARKIT_COLUMNS: Final = (
    "jawOpen",
    "mouthFunnel",
    "mouthPucker",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "mouthSmileLeft",
    "mouthSmileRight",
)

ARKIT: Final = WeightSet(
    name="arkit",
    columns=_ARKIT_COLUMNS,
    targets={shape: _both_sides(weights) for shape, weights in _ARKIT_TARGETS.items()},
    # Loudness drops the jaw and the lower lip with it (JALI: Edwards et al., TOG 35(4), 2016).
    follows_loudness=frozenset({"jawOpen", "mouthLowerDownLeft", "mouthLowerDownRight"}),
)
"""Fifteen of ARKit's 52 coefficients: those that speech moves."""

_OVR_COLUMNS: Final = (
    "sil",
    "PP",
    "FF",
    "TH",
    "DD",
    "kk",
    "CH",
    "SS",
    "nn",
    "RR",
    "aa",
    "E",
    "ih",
    "oh",
    "ou",
)

OVR: Final = WeightSet(
    name="ovr",
    columns=_OVR_COLUMNS,
    targets={
        MouthShape.A: {"PP": 1.0},
        # B is most consonants and "ee".
        MouthShape.B: {"ih": 0.4, "SS": 0.25, "DD": 0.2, "kk": 0.15},
        MouthShape.C: {"E": 0.8, "aa": 0.2},
        MouthShape.D: {"aa": 1.0},
        MouthShape.E: {"oh": 1.0},
        MouthShape.F: {"ou": 1.0},
        MouthShape.G: {"FF": 1.0},
        MouthShape.H: {"nn": 0.7, "E": 0.3},
        MouthShape.X: {"sil": 1.0},
    },
    follows_loudness=frozenset({"aa", "E", "ih", "oh", "ou"}),
    rest="sil",
)
"""The fifteen visemes of Oculus LipSync; a frame's weights sum to 1."""

THA: Final = WeightSet(
    name="tha",
    columns=VOWEL_NAMES,
    targets={shape: THA_MOUTH_MAP.shapes[shape].weights for shape in SHAPES},
    follows_loudness=frozenset(VOWEL_NAMES),
)
"""The mouth parameters of talking-head-anime that speech moves."""

WEIGHT_SETS: Final[Mapping[str, WeightSet]] = {one.name: one for one in (ARKIT, OVR, THA)}
