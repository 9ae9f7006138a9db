"""How far version 3's frames are from the author's when the head is turned apart from the face.

Run from the root of the repository, with the official editor of version 3 (separable_float)::

    python benchmarks/pose_still_head.py --editor FOLDER/editor.pt [--characters N]

`kuchipaku models import --still-head` computes the rotator and the editor on the canvas as it is
and uses what they find for every face. The error of the editor's part is measured here: drawn
characters with another face, their heads turned by a given flow in place of the rotator's,
through the editor as it is and with what it found on the character's neutral picture. PSNR is on
grey.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from kuchipaku_animation import PARAMETER_INDEX
from kuchipaku_imagegen import illustrator
from kuchipaku_pose.conventions import picture_to_tensor, tensor_to_picture
from kuchipaku_pose.manifest import Convention
from kuchipaku_pose.tha.blocks import Style
from kuchipaku_pose.tha.bodies3 import Editor
from kuchipaku_pose.tha.chains import FACE_BOX, ROTATION_POSE
from kuchipaku_pose.tha.operators import identity_grid, warp
from kuchipaku_pose.tha.stages import Edit
from kuchipaku_pose.tha.stillhead import FACES, TURNS
from kuchipaku_pose.tha.weights import read_tensors

SIDE = 512
MAX_ANGLE, MAX_SHIFT = 15.0, 0.06
"""Degrees, and share of half the picture: what a turn of 1 does here."""


def flow(turn: float) -> Any:
    """Return the offsets (1, 2, 256, 256) of a head that is tilted and moved by ``turn``."""
    angle = math.radians(MAX_ANGLE * turn)
    cos, sin = math.cos(angle), math.sin(angle)
    grid = identity_grid(SIDE // 2, SIDE // 2)[0]
    x, y = grid[..., 0], grid[..., 1]
    # The chest stays where it is.
    share = ((1 - y) / 2).clamp(0, 1)
    moved = (cos * x - sin * y + MAX_SHIFT * turn, sin * x + cos * y)
    return torch.stack([(moved[0] - x) * share, (moved[1] - y) * share])[None]


def characters(count: int) -> Iterator[tuple[Any, list[Any]]]:
    """Yield drawn characters: the neutral canvas, and the canvases with other faces."""
    for seed in range(1, count + 1):
        attributes = illustrator.random_attributes(seed)
        pictures = []
        for name in (None, *FACES):
            pose = np.zeros(len(PARAMETER_INDEX), np.float32)
            if name is not None:
                pose[PARAMETER_INDEX[name]] = 1
            picture = illustrator.render(attributes, pose, size=SIDE)
            tensor = picture_to_tensor(picture, Convention.STRAIGHT_LINEAR)
            pictures.append(torch.from_numpy(tensor)[None])
        yield pictures[0], pictures[1:]


def squares(shown: Any, expected: Any) -> tuple[float, float]:
    """Return the mean square errors over the face and over the frame, values 0 to 1."""
    errors = (on_grey(shown) - on_grey(expected)) ** 2
    return float(FACE_BOX.of(errors).mean()), float(errors.mean())


def on_grey(tensor: Any) -> NDArray[np.float64]:
    pixels = tensor_to_picture(tensor[0].numpy(), Convention.STRAIGHT_LINEAR) / 255
    shown = pixels[..., :3] * pixels[..., 3:] + 0.5 * (1 - pixels[..., 3:])
    return np.asarray(shown.transpose(2, 0, 1)[None])


def decibels(values: Sequence[float]) -> float:
    return -10 * math.log10(max(float(np.mean(values)), 1e-12))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--editor", type=Path, required=True, help="the official editor.pt")
    parser.add_argument("--characters", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(1)
    editor = Editor(Style.SEPARABLE).eval()
    editor.load_state_dict(read_tensors(options.editor), strict=True)
    edit = Edit({"editor": editor})
    found: dict[float, list[tuple[float, float]]] = {turn: [] for turn in TURNS}
    with torch.no_grad():
        for neutral, others in characters(options.characters):
            for turn in TURNS:
                pose = torch.full((1, ROTATION_POSE.stop - ROTATION_POSE.start), turn)
                offsets = flow(turn)
                colour, alpha, at = edit.parts(neutral, half(neutral, offsets), offsets, pose)
                for canvas in others:
                    exact = edit(canvas, half(canvas, offsets), offsets, pose)[0]
                    reused = colour * alpha + warp(canvas, at) * (1 - alpha)
                    found[turn].append(squares(reused, exact))
    print(f"{options.characters} drawn characters, {len(FACES)} faces each")
    for turn, pairs in found.items():
        face, frame = (decibels([pair[i] for pair in pairs]) for i in (0, 1))
        worst = decibels([max(pair[0] for pair in pairs)])
        print(f"turn {turn:+.1f}: face {face:.1f} dB (worst {worst:.1f}), frame {frame:.1f} dB")


def half(canvas: Any, offsets: Any) -> Any:
    """Return what the rotator hands on: the canvas at half size, warped."""
    return warp(functional.avg_pool2d(canvas, 2), offsets)


if __name__ == "__main__":
    main()
