"""Poses of RenderPoses, told as values or as faces, as poses of one model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.type.v1 import cue_pb2
from kuchipaku_animation import MouthMap, MouthShape, Still, still_poses
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_pose.convert import SHAPES, expression_of, pick
from kuchipaku_pose.models import PoseModel
from kuchipaku_pose.posespace import CheckedPoses, Poses

_SHAPES = {**SHAPES, cue_pb2.MOUTH_SHAPE_UNSPECIFIED: MouthShape.X}


def poses_of(
    messages: Sequence[pb.Pose], model: PoseModel, mouth_map: MouthMap, *, field: str
) -> CheckedPoses:
    """Return poses (n, parameters) fit for the engine of ``model``.

    Raises:
        InvalidArgumentError: a pose that is both or wrong; the field names it, for example
            ``poses.poses[3].face.mouth_shape``.
    """
    space = model.engine.space
    values = np.tile(space.neutral, (len(messages), 1))
    faces: dict[int, Still] = {}
    for i, pose in enumerate(messages):
        where = f"{field}[{i}]"
        if pose.HasField("face"):
            if pose.values:
                raise InvalidArgumentError(
                    "A pose is told either by values or by a face.",
                    reason="POSE_TOLD_TWICE",
                    field=f"{where}.face",
                )
            faces[i] = _still_of(pose.face, f"{where}.face")
        elif len(pose.values) != len(space):
            raise InvalidArgumentError(
                f"The pose has {len(pose.values)} values; this model takes {len(space)}.",
                reason="POSE_WRONG_LENGTH",
                field=f"{where}.values",
                expected=len(space),
            )
        else:
            values[i] = pose.values
    if faces:
        values[list(faces)] = _fitted(list(faces.values()), model, mouth_map)
    _check_finite(values, field)
    return space.check(values, field=field)


def _check_finite(values: Poses, field: str) -> None:
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(wrong):
        raise InvalidArgumentError(
            "A pose holds NaN or infinity.",
            reason="POSE_NOT_FINITE",
            field=f"{field}[{wrong[0]}].values",
        )


def _fitted(faces: list[Still], model: PoseModel, mouth_map: MouthMap) -> Poses:
    return model.fit(still_poses(faces, mouth_map))


def _still_of(face: pb.Face, field: str) -> Still:
    return Still(
        expression=expression_of(face.expression, f"{field}.expression"),
        strength=_share(face.strength, f"{field}.strength") if face.HasField("strength") else 1.0,
        shape=pick(_SHAPES, face.mouth_shape, f"{field}.mouth_shape"),
        eyes_closed=_share(face.eyes_closed, f"{field}.eyes_closed"),
    )


def _share(value: float, field: str) -> float:
    if not 0.0 <= value <= 1.0:
        raise InvalidArgumentError(
            f"{field} must lie in 0..1.", reason="VALUE_OUT_OF_RANGE", field=field
        )
    return value
