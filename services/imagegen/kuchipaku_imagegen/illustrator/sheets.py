"""Sheets of pictures to look at: many characters, or one character in many poses."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from kuchipaku_animation.poses import pose_from

from .attributes import random_attributes
from .character import Character
from .palette import Colour, colour

#: Backdrops: colour at the top and at the bottom.
_BACKDROPS: tuple[tuple[Colour, Colour], ...] = (
    (colour("#dfe6fb"), colour("#f7ecfa")),
    (colour("#def4ea"), colour("#f6f9e6")),
    (colour("#fdebdd"), colour("#fbf6ea")),
    (colour("#eae2f8"), colour("#fdeef4")),
)

#: One pose per effect that a sheet shows.
SHOWN_POSES: tuple[dict[str, float], ...] = (
    {},
    {"mouth_aaa": 1},
    {"mouth_iii": 1},
    {"mouth_uuu": 1},
    {"mouth_eee": 1},
    {"mouth_ooo": 1},
    {"mouth_delta": 1},
    {"mouth_smirk": 1},
    {"mouth_raised_corner": 1, "eyebrow_happy": 1},
    {"mouth_lowered_corner": 1, "eyebrow_troubled": 1},
    {"eyebrow_angry": 1, "mouth_delta": 0.6},
    {"eyebrow_serious": 1},
    {"eyebrow_raised": 1, "eye_surprised": 1, "mouth_ooo": 0.5},
    {"eyebrow_lowered": 1, "eye_unimpressed": 1},
    {"eye_wink": 1},
    {"eye_wink_left": 1, "mouth_raised_corner": 0.7},
    {"eye_happy_wink": 1, "mouth_aaa": 0.7},
    {"eye_relaxed": 1},
    {"eye_raised_lower_eyelid": 1},
    {"iris_small": 1},
    {"iris_rotation_y": 1},
    {"iris_rotation_x": 1},
    {"head_y": 1},
    {"head_y": -1},
    {"head_x": 1},
    {"head_x": -1},
    {"neck_z": 1},
    {"body_y": 1, "head_y": 0.5},
    {"body_z": 1},
    {"breathing": 1},
    {"head_y": 0.8, "head_x": 0.5, "neck_z": -0.6, "mouth_aaa": 1, "eye_happy_wink": 1},
    {"head_y": -0.8, "body_y": -1, "neck_z": 0.5, "mouth_eee": 0.7},
)


def backdrop(picture: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    """RGBA picture (h, w, 4) on a soft gradient with discs of light: RGB (h, w, 3)."""
    height, width = picture.shape[:2]
    top, bottom = (np.array(tone) for tone in _BACKDROPS[index % len(_BACKDROPS)])
    y, x = np.mgrid[0:height, 0:width] / height
    ground = top * (1 - y[..., None]) + bottom * y[..., None]
    rng = np.random.default_rng(index)
    for cx, cy, radius in rng.uniform((0, 0, 0.03), (width / height, 1, 0.11), (7, 3)):
        disc = np.clip((radius - np.hypot(x - cx, y - cy)) * height / 2, 0, 1)[..., None]
        ground = ground + (1 - ground) * 0.4 * disc
    alpha = picture[..., 3:] / 255
    mixed = picture[..., :3] * alpha + ground * 255 * (1 - alpha)
    result: NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
    return result


def character_sheet(seeds: Iterable[int], columns: int = 8) -> NDArray[np.uint8]:
    """RGB sheet of whole figures, one per seed."""
    tiles = [
        backdrop(Character(random_attributes(seed)).render(), index)[:, 80:432]
        for index, seed in enumerate(seeds)
    ]
    return _tiled(tiles, columns)


def pose_sheet(seed: int, columns: int = 8) -> NDArray[np.uint8]:
    """RGB sheet of one character's bust in `SHOWN_POSES`."""
    character = Character(random_attributes(seed))
    tiles = [
        backdrop(character.render(pose_from(pose)), index // columns)[20:280, 126:386]
        for index, pose in enumerate(SHOWN_POSES)
    ]
    return _tiled(tiles, columns)


def _tiled(tiles: list[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    blank = np.full_like(tiles[0], 255)
    tiles = tiles + [blank] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.vstack(rows)
