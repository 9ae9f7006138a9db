"""Are the mouth shapes told apart? Every drawn shape is matched against the true drawings."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from kuchipaku_animation.poses import pose_from
from kuchipaku_imagegen.illustrator import Character, random_attributes
from kuchipaku_training.pose.batches import to_tensor
from kuchipaku_training.pose.dataset import PoseData
from kuchipaku_training.pose.layout import FACE_COLUMNS, FACE_POSE, FACE_ROWS
from kuchipaku_training.pose.networks import FaceNetwork
from kuchipaku_training.pose.pixels import premultiply
from kuchipaku_training.pose.sampling import VOWELS

#: The closed mouth and the six open ones.
MOUTH_POSES: tuple[dict[str, float], ...] = ({}, *({name: 1.0} for name in VOWELS))


def true_mouths(seed: int) -> Tensor:
    """Draw the crops (7, 4, 192, 192) of the character of `seed` with each mouth."""
    character = Character(random_attributes(seed))
    drawn = [premultiply(character.render(pose_from(dict(pose)))) for pose in MOUTH_POSES]
    return to_tensor(np.stack(drawn)[:, FACE_ROWS, FACE_COLUMNS])


def recognised_mouths(
    face: FaceNetwork, data: PoseData, characters: Iterable[int]
) -> dict[str, float]:
    """Count how many predicted mouths are nearest (mean absolute difference) to their own truth.

    `margin` is the mean distance to the nearest wrong truth divided by that to the right one.
    """
    poses = torch.from_numpy(np.stack([pose_from(dict(pose)) for pose in MOUTH_POSES]))
    right, total, margins = 0, 0, []
    for character in characters:
        truth = true_mouths(data.spec.first_seed + character)
        drawn = face(truth[:1], poses[:, FACE_POSE]).picture.clamp(0.0, 1.0)
        distance = (drawn[:, None] - truth[None]).abs().mean((2, 3, 4))
        own = distance.diagonal()
        wrong = (distance + torch.eye(len(truth)) * 1e3).amin(1)
        right += int((own < wrong).sum())
        total += len(truth)
        margins.append(float(wrong.mean() / own.mean()))
    return {"mouths": total, "recognised": right, "margin": round(float(np.mean(margins)), 2)}
