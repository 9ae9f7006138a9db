"""Training batches: reads pictures and poses, and applies the same random change to all pictures
of a character.

A network trained on aligned heads memorises positions, so every batch is shifted, and half of
them are scaled and stretched as well. Colours, light, paper and focus change too. Each batch
depends on (seed, step) alone, so that a resumed training sees the same batches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from kuchipaku_training import style
from kuchipaku_training.pose import sampling
from kuchipaku_training.pose.dataset import PoseData
from kuchipaku_training.pose.layout import (
    FACE_POSE,
    FACE_SIZE,
    HALF_SIZE,
    HALF_WINDOW_COLUMNS,
    HALF_WINDOW_ROWS,
    HEAD_CENTRE,
    HEAD_POSE,
    MOUTH_COLUMNS,
    MOUTH_ROWS,
    POSE_SIZE,
    WINDOW_COLUMNS,
    WINDOW_LEFT,
    WINDOW_MARGIN,
    WINDOW_ROWS,
    WINDOW_SIZE,
)
from kuchipaku_training.pose.pixels import Pixels

_SHIFT_PX = 24
_SCALE = (0.86, 1.2)
_ASPECT = (0.95, 1.05)
#: Share of characters whose pictures are restyled.
_RESTYLED = 0.6
_SOFT_PX = (0.3, 0.8)
ZOOMED_SIZE = 144
#: Where eyes and mouth mostly are in the face crop, (row, column).
FACE_MIDDLE = (110, 96)


@dataclass(frozen=True)
class Batch:
    """`c` characters with `p` poses each: neutral (c, 4, s, s); the rest (c * p, ...).

    `focus` (c * p, 1, s, s) is 1 where the mouth is, small and watched by everybody. `bare`
    (c, 4, s, s) is the neutral picture without eyes, brows and mouth.
    """

    neutral: Tensor
    source: Tensor
    target: Tensor
    pose: Tensor
    focus: Tensor | None = None
    bare: Tensor | None = None


def to_tensor(pixels: Pixels) -> Tensor:
    """Turn uint8 (n, h, w, 4) into float32 (n, 4, h, w), 0..1."""
    scaled = pixels.astype(np.float32) * np.float32(1.0 / 255.0)
    return torch.from_numpy(scaled).permute(0, 3, 1, 2)


def expression_half(data: PoseData, character: int, face: int) -> Pixels:
    """Return the half-size canvas (256, 256, 4) of a facial pose with the head straight."""
    picture = np.array(data["neutral_half"][character], np.uint8)
    picture[HALF_WINDOW_ROWS, HALF_WINDOW_COLUMNS] = data["face_half"][character, face]
    return picture


@dataclass(frozen=True)
class _Change:
    """Random change of one batch: per character shift (px of the canvas), scale and mirroring."""

    affine: bool
    shift: NDArray[np.float64]
    scale: NDArray[np.float64]
    mirrored: NDArray[np.bool_]
    channels: tuple[int, ...]
    gain: NDArray[np.float32]


def _draw_change(rng: np.random.Generator, poses: NDArray[np.float32]) -> _Change:
    count = len(poses)
    affine = bool(rng.random() < 0.5)
    shift = rng.uniform(-_SHIFT_PX, _SHIFT_PX, (count, 2))
    # The head is mostly near its place; wide shifts are the exception.
    shift *= np.where(rng.random((count, 1)) < 0.4, 0.3, 1.0)
    low, high = _SCALE
    scale = np.exp(rng.uniform(math.log(low), math.log(high), (count, 1))) * np.ones((1, 2))
    scale[:, 0] *= rng.uniform(*_ASPECT, count)
    mirrored = rng.random(count) < 0.5
    mirrored &= np.array([sampling.can_mirror(pose) for pose in poses])
    channels = tuple(rng.permutation(3)) if rng.random() < 0.3 else (0, 1, 2)
    gain = np.ones((count, 3), np.float32)
    bright = rng.random(count) < 0.5
    gain[bright] = rng.uniform(0.75, 1.0, (int(bright.sum()), 3))
    return _Change(affine, np.rint(shift), scale, mirrored, channels, gain)


def _resample(pictures: Tensor, change: _Change, canvas: bool) -> Tensor:
    """Shift and scale pictures (c, m, 4, s, s) about the head, cropping windows to face crops."""
    count, many, _, size, _ = pictures.shape
    scale = torch.from_numpy(change.scale).float()
    shift = torch.from_numpy(change.shift).float()
    side = HALF_SIZE if canvas else FACE_SIZE
    # A half-size canvas counts 2 px of the full canvas per pixel.
    unit = 2.0 / size * (0.5 if canvas else 1.0)
    centre = torch.zeros(2)
    if canvas:
        centre = torch.tensor(HEAD_CENTRE) / (size * 2.0) * 2.0 - 1.0
    theta = torch.zeros(count, 2, 3)
    for axis, row in ((1, 0), (0, 1)):
        theta[:, row, row] = side / size / scale[:, axis]
        theta[:, row, 2] = centre[axis] * (1.0 - 1.0 / scale[:, axis]) - shift[:, axis] * unit
    grid = functional.affine_grid(theta, [count, 4, side, side], align_corners=False)
    merged = pictures.reshape(count, many * 4, size, size)
    moved = functional.grid_sample(merged, grid, align_corners=False)
    return moved.reshape(count, many, 4, side, side)


def _slide(pictures: Tensor, change: _Change, canvas: bool) -> Tensor:
    """Shift by whole pixels: nothing is blurred."""
    if canvas:
        rolled = []
        for item, (down, right) in zip(pictures, change.shift / 2.0, strict=True):
            y, x = int(down), int(right)
            pad = (max(x, 0), max(-x, 0), max(y, 0), max(-y, 0))
            top, left = max(-y, 0), max(-x, 0)
            rolled.append(
                functional.pad(item, pad)[..., top : top + HALF_SIZE, left : left + HALF_SIZE]
            )
        return torch.stack(rolled)
    crops = []
    for item, (down, right) in zip(pictures, change.shift, strict=True):
        top, left = WINDOW_MARGIN - int(down), WINDOW_MARGIN - int(right)
        crops.append(item[..., top : top + FACE_SIZE, left : left + FACE_SIZE])
    return torch.stack(crops)


def _recolour(pictures: Tensor, change: _Change) -> Tensor:
    gain = torch.from_numpy(change.gain)[:, None, :, None, None]
    colours = pictures[:, :, list(change.channels)] * gain
    return torch.cat([colours, pictures[:, :, 3:]], 2)


def _restyle(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Change the style of the pictures (c, m, 4, s, s), alike for all of a character."""
    restyled = []
    for character in pictures:
        seed = int(rng.integers(1 << 62))
        if rng.random() >= _RESTYLED:
            restyled.append(character)
            continue
        soft = float(rng.uniform(*_SOFT_PX)) if rng.random() < 0.3 else 0.0
        alike = [style.recolour(one, np.random.default_rng(seed)) for one in character]
        restyled.append(torch.stack([style.blurred(one, soft) if soft else one for one in alike]))
    return torch.stack(restyled)


def _augment(
    pixels: Pixels, poses: NDArray[np.float32], rng: np.random.Generator, canvas: bool
) -> tuple[Tensor, Tensor]:
    """Change pictures (c, m, s, s, 4) and poses (c, p, 45) together."""
    change = _draw_change(rng, poses)
    for index in np.flatnonzero(change.mirrored):
        pixels[index] = pixels[index, :, :, ::-1]
        poses[index] = sampling.mirror(poses[index])
    count, many = pixels.shape[:2]
    pictures = to_tensor(pixels.reshape(count * many, *pixels.shape[2:]))
    pictures = pictures.reshape(count, many, *pictures.shape[1:])
    move = _resample if change.affine else _slide
    return _recolour(move(pictures, change, canvas), change), torch.from_numpy(poses)


def _flat(pictures: Tensor) -> Tensor:
    return pictures.reshape(-1, *pictures.shape[2:]).contiguous()


def _zoom(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Cut a smaller square out of face crops (c, m, 4, 192, 192), mostly around the face."""
    room = FACE_SIZE - ZOOMED_SIZE
    if rng.random() < 0.25:
        top, left = rng.integers(0, room + 1, 2)
    else:
        top = min(room, FACE_MIDDLE[0] - ZOOMED_SIZE // 2 + int(rng.integers(-8, 9)))
        left = FACE_MIDDLE[1] - ZOOMED_SIZE // 2 + int(rng.integers(-8, 9))
    return pictures[..., top : top + ZOOMED_SIZE, left : left + ZOOMED_SIZE]


def face_batch(  # noqa: PLR0917
    data: PoseData, step: int, seed: int, characters: int, poses: int, zoomed: bool = False
) -> Batch:
    """Cut a batch of face crops; about one pose in sixteen is the neutral one.

    `zoomed` cuts squares of 144 pixels: they cost half as much and hold most of what changes.
    """
    rng = np.random.default_rng((seed, step))
    # The last pictures of each character are the bare face and the map of the mouth, which move
    # along.
    pixels = np.zeros((characters, poses + 3, WINDOW_SIZE, WINDOW_SIZE, 4), np.uint8)
    left, right = MOUTH_COLUMNS.start - WINDOW_LEFT, MOUTH_COLUMNS.stop - WINDOW_LEFT
    pixels[:, -1, MOUTH_ROWS, left:right] = 255
    vectors = np.zeros((characters, poses, POSE_SIZE), np.float32)
    for row, index in enumerate(rng.choice(data.ready, characters)):
        pixels[row, 0] = data["neutral"][index, WINDOW_ROWS, WINDOW_COLUMNS]
        pixels[row, -2] = data["bare"][index]
        for column, face in enumerate(rng.choice(data.spec.faces, poses, replace=False)):
            if rng.random() < 1 / 16:
                pixels[row, column + 1] = pixels[row, 0]
                continue
            pixels[row, column + 1] = data["face"][index, face]
            vectors[row, column, FACE_POSE] = data["face_pose"][index, face]
    pictures, changed = _augment(pixels, vectors, rng, canvas=False)
    if zoomed:
        pictures = _zoom(pictures, rng)
    # The map keeps its values.
    pictures = torch.cat([_restyle(pictures[:, :-1], rng), pictures[:, -1:]], 1)
    neutral = _flat(pictures[:, :1])
    source = _flat(pictures[:, :1].expand(-1, poses, -1, -1, -1))
    focus = _flat(pictures[:, -1:, 3:].expand(-1, poses, -1, -1, -1))
    target = _flat(pictures[:, 1:-2])
    bare = _flat(pictures[:, -2:-1])
    pose = changed[..., FACE_POSE].flatten(0, 1)
    return Batch(neutral, source, target, pose, focus, bare)


def rotator_batch(  # noqa: PLR0917
    data: PoseData, step: int, seed: int, characters: int, poses: int, zoomed: bool = False
) -> Batch:
    """Read a batch of half-size canvases; what is warped has an expression, the neutral none.

    `zoomed` changes nothing here: a turn moves the whole picture.
    """
    rng = np.random.default_rng((seed, step))
    pixels = np.empty((characters, 2 * poses + 1, HALF_SIZE, HALF_SIZE, 4), np.uint8)
    vectors = np.zeros((characters, poses, POSE_SIZE), np.float32)
    for row, index in enumerate(rng.choice(data.ready, characters)):
        pixels[row, 0] = data["neutral_half"][index]
        for column, turn in enumerate(rng.choice(data.spec.turns, poses, replace=False)):
            source = expression_half(data, int(index), int(turn))
            pixels[row, 1 + column] = source
            if rng.random() < 1 / 24:
                pixels[row, 1 + poses + column] = source
                continue
            pixels[row, 1 + poses + column] = data["turned_half"][index, turn]
            vectors[row, column, HEAD_POSE] = data["head_pose"][index, turn]
    pictures, changed = _augment(pixels, vectors, rng, canvas=True)
    pictures = _restyle(pictures, rng)
    return Batch(
        _flat(pictures[:, :1]),
        _flat(pictures[:, 1 : 1 + poses]),
        _flat(pictures[:, 1 + poses :]),
        changed[..., HEAD_POSE].flatten(0, 1),
    )
