"""Version 3 with its rotator and editor apart from the face, for heads that are often still.

Where a head turns to hardly depends on its mouth. Here the rotator and the editor see the canvas as
it is, once for each position of the head, and what they find is used for every face: a mouth that
moves while the head is still costs neither. These are not the author's frames: where the editor
draws over the picture it has not seen the posed face.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from kuchipaku_pose.conventions import tensor_to_picture
from kuchipaku_pose.manifest import CANVAS, Convention
from kuchipaku_pose.posespace import PoseSpace
from kuchipaku_pose.tha.chains import BROW_BOX, FACE_BOX, ROTATION_POSE
from kuchipaku_pose.tha.networks import Networks
from kuchipaku_pose.tha.operators import blend, paste, warp
from kuchipaku_pose.tha.stages import FRAME, Edit, Rotate, StageDraft, face_stages

Pose = NDArray[np.float32]
Render = Callable[[Pose], NDArray[np.float32]]
"""A pose to the last network's output (4, S, S)."""

TURNS: Final = (0.0, 0.5, -1.0)
"""Positions of head and body, as shares of their ranges, at which the error is measured."""
FACES: Final = ("mouth_aaa", "mouth_ooo", "eye_wink_left", "eye_happy_wink_right")
"""Parameters of the face, moved one at a time to their end, at each of them."""
_PEAK: Final = 255.0
_GREY: Final = 0.5


class Turn(nn.Module):
    """Rotator and editor on the canvas as it is.

    Returns the offsets at which the editor samples, and what it draws where over the result.
    """

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.rotate = Rotate(networks)
        self.edit = Edit(networks)

    def forward(self, canvas: Tensor, pose: Tensor) -> tuple[Tensor, ...]:
        """Return offsets (N, 2, 512, 512), alpha and colour (N, 4, 512, 512)."""
        warped, offsets = self.rotate.turned(canvas, pose)
        colour, alpha, offsets = self.edit.parts(canvas, warped, offsets, pose)
        return offsets, alpha, colour


class Show(nn.Module):
    """The canvas with its face, turned as `Turn` says."""

    def forward(
        self, canvas: Tensor, face: Tensor, offsets: Tensor, alpha: Tensor, colour: Tensor
    ) -> tuple[Tensor, ...]:
        """Return the frame (N, 4, 512, 512)."""
        full = paste(canvas, face, FACE_BOX.top, FACE_BOX.left)
        return (blend(alpha, colour, warp(full, offsets)),)


def still_head_stages(networks: Networks) -> list[StageDraft]:
    """Return version 3's stages with what a turned head costs computed once for all faces."""
    turn = ("turn_offsets", "turn_alpha", "turn_colour")
    return [
        *face_stages(networks, BROW_BOX, FACE_BOX),
        StageDraft("turn", Turn(networks), (CANVAS,), turn, ROTATION_POSE),
        StageDraft("show", Show(), (CANVAS, "face", *turn), (FRAME,)),
    ]


def measure(
    space: PoseSpace, exact: Render, reused: Render, convention: Convention
) -> tuple[float, float]:
    """Return the PSNR in dB, on grey, of the face's crop and of the whole frame.

    Args:
        space: the model's parameters.
        exact: renders with the author's chain.
        reused: renders with the stages above.
        convention: of both.
    """
    squares: list[tuple[float, float]] = []
    for pose in faces_at_turns(space):
        pictures = [_on_grey(render(pose), convention) for render in (exact, reused)]
        errors = (pictures[0] - pictures[1]) ** 2
        squares.append((float(FACE_BOX.of(errors).mean()), float(errors.mean())))
    face, frame = (_decibels([pair[i] for pair in squares]) for i in (0, 1))
    return face, frame


def faces_at_turns(space: PoseSpace) -> list[Pose]:
    """Return the poses of `TURNS` and `FACES`."""
    poses = []
    for turn in TURNS:
        for name in FACES:
            pose = space.neutral.copy()
            pose[ROTATION_POSE] += turn * space.maximum[ROTATION_POSE]
            pose = np.clip(pose, space.minimum, space.maximum)
            pose[space.names.index(name)] = space.maximum[space.names.index(name)]
            poses.append(pose)
    return poses


def _on_grey(tensor: NDArray[np.float32], convention: Convention) -> NDArray[np.float32]:
    """Return (1, 3, S, S), values 0 to 255."""
    pixels = tensor_to_picture(tensor, convention).astype(np.float32)
    alpha = pixels[..., 3:] / _PEAK
    shown: NDArray[np.float32] = pixels[..., :3] * alpha + _GREY * _PEAK * (1 - alpha)
    return shown.transpose(2, 0, 1)[None]


def _decibels(squares: Sequence[float]) -> float:
    return float(10 * np.log10(_PEAK**2 / max(float(np.mean(squares)), 1e-6)))
