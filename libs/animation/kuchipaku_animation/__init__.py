"""Mouth cues, expressions and idle life become pose tracks. Pure numpy.

Usage::

    track = animate(
        [MouthCue(0.2, 0.35, MouthShape.D), MouthCue(0.35, 0.45, MouthShape.A)],
        [ExpressionKey(0.0, "happy", fade=0.0)],
        duration_s=1.0,
        options=AnimationOptions(fps=25.0, seed=seed_from("character-id")),
    )
    track.poses  # float32 (25, 45)
"""

from __future__ import annotations

from kuchipaku_animation.cues import MouthCue, MouthShape, validate_cues
from kuchipaku_animation.expressions import (
    EXPRESSIONS,
    ExpressionKey,
    expression_pose,
    validate_expressions,
)
from kuchipaku_animation.mouthmap import (
    ONE_OPENING_MOUTH_MAP,
    THA_MOUTH_MAP,
    MouthMap,
    ShapeTarget,
)
from kuchipaku_animation.options import AnimationOptions, seed_from
from kuchipaku_animation.poses import (
    EYEBROW_SLICE,
    FACE_SLICE,
    PARAMETER_INDEX,
    PARAMETER_NAMES,
    PARAMETER_RANGES,
    POSE_SIZE,
    ROTATION_SLICE,
    VOWEL_NAMES,
    VOWEL_SLICE,
    mouth_opening,
    neutral_pose,
    pose_from,
)
from kuchipaku_animation.stills import BLINK_STEPS, BlinkStep, Still, least_pictures, still_poses
from kuchipaku_animation.track import PoseTrack, PoseTrackBuilder, animate, frame_count
from kuchipaku_animation.weights import WEIGHT_SETS, WeightSet, WeightTrack, animate_weights

__all__ = [
    "BLINK_STEPS",
    "EXPRESSIONS",
    "EYEBROW_SLICE",
    "FACE_SLICE",
    "ONE_OPENING_MOUTH_MAP",
    "PARAMETER_INDEX",
    "PARAMETER_NAMES",
    "PARAMETER_RANGES",
    "POSE_SIZE",
    "ROTATION_SLICE",
    "THA_MOUTH_MAP",
    "VOWEL_NAMES",
    "VOWEL_SLICE",
    "WEIGHT_SETS",
    "AnimationOptions",
    "BlinkStep",
    "ExpressionKey",
    "MouthCue",
    "MouthMap",
    "MouthShape",
    "PoseTrack",
    "PoseTrackBuilder",
    "ShapeTarget",
    "Still",
    "WeightSet",
    "WeightTrack",
    "animate",
    "animate_weights",
    "expression_pose",
    "frame_count",
    "least_pictures",
    "mouth_opening",
    "neutral_pose",
    "pose_from",
    "seed_from",
    "still_poses",
    "validate_cues",
    "validate_expressions",
]
