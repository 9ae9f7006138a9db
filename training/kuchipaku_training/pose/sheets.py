"""Comparison sheets: what the networks draw beside the truth, for people to look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from kuchipaku_animation.poses import pose_from
from kuchipaku_training.pose.batches import to_tensor
from kuchipaku_training.pose.dataset import PoseData
from kuchipaku_training.pose.layout import WINDOW_COLUMNS, WINDOW_ROWS
from kuchipaku_training.pose.networks import FaceNetwork, RotatorNetwork
from kuchipaku_training.pose.pixels import over_colour
from kuchipaku_training.pose.stages import render_frame
from kuchipaku_training.pose.tasks import held_faces

Picture = NDArray[np.uint8]

#: Poses of the mouth and eye sheet, by what they show.
NAMED_POSES: tuple[dict[str, float], ...] = (
    {},
    {"mouth_aaa": 1.0},
    {"mouth_iii": 1.0},
    {"mouth_uuu": 1.0},
    {"mouth_eee": 1.0},
    {"mouth_ooo": 1.0},
    {"mouth_delta": 1.0},
    {"mouth_aaa": 0.5},
    {"mouth_raised_corner": 1.0, "eye_happy_wink": 1.0, "eyebrow_happy": 1.0},
    {"eye_wink": 1.0},
    {"iris_rotation_x": 0.8, "iris_rotation_y": -0.9},
    {"eyebrow_angry": 1.0, "mouth_lowered_corner": 1.0, "eye_unimpressed": 0.6},
)


def _picture(tensor: Tensor) -> Picture:
    return over_colour(tensor.permute(1, 2, 0).numpy())


def _row(tensors: Tensor) -> Picture:
    return np.concatenate([_picture(tensor) for tensor in tensors], 1)


def _save(rows: list[Picture], path: Path) -> None:
    sheet = Image.fromarray(np.concatenate(rows, 0))
    # The sheets are committed with the weights: a palette keeps them small.
    sheet.quantize(256, Image.Quantize.MEDIANCUT).save(path, optimize=True)


def _turned(
    face: FaceNetwork, rotator: RotatorNetwork, data: PoseData, character: int, index: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return canvas, frame of the whole chain and truth of one turned picture."""
    neutral = to_tensor(np.asarray(data["neutral"][character][None]))
    parts = [data["face_pose"][character, index], data["head_pose"][character, index]]
    pose = torch.from_numpy(np.concatenate(parts).astype(np.float32))[None]
    truth = to_tensor(np.asarray(data["turned"][character, index][None]))
    return neutral, render_frame(face, rotator, neutral, pose), truth


def face_sheet(face: FaceNetwork, data: PoseData, characters: list[int], path: Path) -> None:
    """Write three rows (source, network, truth) per eight held-out facial poses."""
    rows: list[Picture] = []
    for start in range(0, len(characters), 8):
        columns = []
        for offset, character in enumerate(characters[start : start + 8]):
            batch = held_faces(data, character)
            index = offset % data.spec.faces
            one = slice(index, index + 1)
            picture = face(batch.neutral, batch.pose[one]).picture
            columns.append(torch.cat([batch.neutral, picture, batch.target[one]]))
        rows.extend(_row(torch.stack([column[row] for column in columns])) for row in range(3))
    _save(rows, path)


def turn_sheet(
    face: FaceNetwork, rotator: RotatorNetwork, data: PoseData, characters: list[int], path: Path
) -> None:
    """Write three rows (source, whole chain, truth) of turned held-out characters, half size."""
    columns = []
    for offset, character in enumerate(characters):
        index = offset % data.spec.turns
        neutral, frame, truth = _turned(face, rotator, data, character, index)
        columns.append(torch.cat([neutral, frame, truth])[..., :352, 96:416])
    stacked = torch.stack(columns)
    _save([_row(functional.avg_pool2d(stacked[:, row], 2)) for row in range(3)], path)


def head_sheet(
    face: FaceNetwork, rotator: RotatorNetwork, data: PoseData, characters: list[int], path: Path
) -> None:
    """Write the heads of turned characters at full size: whole chain above, truth below."""
    above, below = [], []
    for offset, character in enumerate(characters):
        index = (offset + 1) % data.spec.turns
        _, frame, truth = _turned(face, rotator, data, character, index)
        above.append(frame[0, :, WINDOW_ROWS, WINDOW_COLUMNS])
        below.append(truth[0, :, WINDOW_ROWS, WINDOW_COLUMNS])
    _save([_row(torch.stack(above)), _row(torch.stack(below))], path)


def mouth_sheet(
    face: FaceNetwork, rotator: RotatorNetwork, data: PoseData, characters: list[int], path: Path
) -> None:
    """Write named poses of some characters, one row each, cut to the face."""
    poses = torch.from_numpy(np.stack([pose_from(dict(pose)) for pose in NAMED_POSES]))
    rows = []
    for character in characters:
        neutral = to_tensor(np.asarray(data["neutral"][character][None]))
        frames = render_frame(face, rotator, neutral, poses)
        rows.append(_row(frames[..., 84:204, 196:316]))
    _save(rows, path)


def write_sheets(
    face: FaceNetwork, rotator: RotatorNetwork, data: PoseData, ready: list[int], folder: Path
) -> None:
    """Write `faces.png`, `turns.png`, `heads.png` and `mouths.png` of held-out characters."""
    face_sheet(face, data, ready[:16], folder / "faces.png")
    turn_sheet(face, rotator, data, ready[:10], folder / "turns.png")
    head_sheet(face, rotator, data, ready[:6], folder / "heads.png")
    mouth_sheet(face, rotator, data, ready[:5], folder / "mouths.png")
