"""Every pose parameter does what its name says, where it should."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from kuchipaku_animation.poses import PARAMETER_NAMES, pose_from
from kuchipaku_imagegen.illustrator import Attributes, Character
from kuchipaku_imagegen.illustrator.attributes import (
    Accessory,
    Age,
    Bangs,
    EyeShape,
    FaceShape,
    Figure,
    Geometry,
    HairStyle,
)
from tests.imagegen.illustrator_pictures import Box, change, share_inside

# The character's left is the right-hand side of the picture.
REGIONS: dict[str, Box] = {
    "eyebrow_left": (258, 105, 312, 145),
    "eyebrow_right": (200, 105, 254, 145),
    "eye_left": (256, 118, 306, 178),
    "eye_right": (206, 118, 256, 178),
    "iris_small_left": (256, 118, 306, 178),
    "iris_small_right": (206, 118, 256, 178),
    "iris_rotation": (206, 118, 306, 178),
    "mouth": (232, 158, 280, 192),
    "head": (110, 20, 402, 340),
    "neck": (120, 40, 392, 330),
    "body": (110, 40, 402, 512),
    "breathing": (130, 40, 382, 400),
}
#: Rows 32:224, columns 160:352 of the canvas, which the face network sees.
FACE_CROP: Box = (160, 32, 352, 224)
#: The corners of what faces can look like.
FACES = {
    "small sleepy eyes of an old man": Attributes(
        figure=Figure.MAN,
        age=Age.ELDERLY,
        face_shape=FaceShape.SQUARE,
        eye_shape=EyeShape.SLEEPY,
        hair_style=HairStyle.SLICKED,
        geometry=Geometry(eye_size=-1, eye_width=-1, eye_spacing=-1, iris_size=-1, mouth_width=-1),
    ),
    "large round eyes of a child": Attributes(
        age=Age.CHILD,
        face_shape=FaceShape.ROUND,
        hair_style=HairStyle.CURLY,
        accessories=(Accessory.GLASSES,),
        geometry=Geometry(eye_size=1, eye_width=1, eye_spacing=1, iris_size=1, mouth_level=1),
    ),
    "sharp eyes of a woman": Attributes(
        figure=Figure.WOMAN,
        face_shape=FaceShape.POINTED,
        eye_shape=EyeShape.SHARP,
        bangs=Bangs.BETWEEN_EYES,
        geometry=Geometry(eye_tilt=-1, eye_level=1, brow_level=1, mouth_level=-1, head_size=1),
    ),
    "almond eyes of a man": Attributes(
        figure=Figure.MAN,
        eye_shape=EyeShape.ALMOND,
        hair_style=HairStyle.UNDERCUT,
        geometry=Geometry(eye_tilt=1, eye_level=-1, brow_level=-1, eye_spacing=1, head_size=-1),
    ),
}
VISEMES = ("mouth_aaa", "mouth_iii", "mouth_uuu", "mouth_eee", "mouth_ooo", "mouth_delta")


@pytest.fixture(scope="module")
def character() -> Character:
    return Character(Attributes(bangs=Bangs.PARTED))


@pytest.fixture(scope="module")
def neutral(character: Character) -> NDArray[np.uint8]:
    return character.render()


def _region(name: str) -> Box:
    if name in REGIONS:
        return REGIONS[name]
    group, _, rest = name.partition("_")
    side = rest.rpartition("_")[2]
    return REGIONS.get(f"{group}_{side}") or REGIONS.get(f"iris_{rest[:-2]}") or REGIONS[group]


@pytest.mark.parametrize("name", PARAMETER_NAMES)
def test_a_parameter_changes_its_region_and_only_that(
    character: Character, neutral: NDArray[np.uint8], name: str
) -> None:
    amount = change(neutral, character.render(pose_from({name: 1.0})))
    assert (amount > 24).sum() > 15
    assert share_inside(amount, _region(name)) > 0.97


@pytest.mark.parametrize("face", FACES)
def test_every_facial_parameter_shows_on_every_face(face: str) -> None:
    character = Character(FACES[face])
    neutral = character.render(size=256)
    left, top, right, bottom = (side // 2 for side in FACE_CROP)
    for name in PARAMETER_NAMES[:39]:
        amount = change(neutral, character.render(pose_from({name: 1.0}), size=256))
        assert (amount > 24).sum() > 4, name
        assert share_inside(amount, (left, top, right, bottom)) > 0.999, name


@pytest.mark.parametrize("face", FACES)
def test_the_neutral_pose_is_the_drawing(face: str) -> None:
    character = Character(FACES[face])
    assert character.svg(np.zeros(45)) == character.svg()


@pytest.mark.parametrize("shape", EyeShape)
@pytest.mark.parametrize("name", ["eye_wink", "eye_happy_wink", "eye_relaxed"])
def test_every_eye_closes(shape: EyeShape, name: str) -> None:
    character = Character(Attributes(bangs=Bangs.PARTED, eye_shape=shape))

    def blue(picture: NDArray[np.uint8]) -> int:
        eyes = picture[125:172, 206:306].astype(int)
        return int(((eyes[..., 2] - eyes[..., 0]) > 60).sum())

    assert blue(character.render()) > 250
    assert blue(character.render(pose_from({name: 1.0}))) == 0


@pytest.mark.parametrize(
    ("name", "dark_up"), [("eyebrow_raised", True), ("eyebrow_lowered", False)]
)
def test_brows_move_the_way_they_are_named(name: str, dark_up: bool) -> None:
    character = Character(Attributes(bangs=Bangs.PARTED, eye_shape=EyeShape.SLEEPY))

    def brow_row(pose: NDArray[np.float32] | None) -> float:
        # The brow lies over the bare forehead between the parted bangs and the eye.
        patch = character.render(pose)[100:130, 262:274].astype(int)
        dark = 255.0 * 3 - patch[..., :3].sum(-1)
        weights = np.where(dark > 250, dark, 0).sum(1)
        return float(np.average(np.arange(30), weights=weights + 1e-9))

    moved = brow_row(pose_from({name: 1.0})) - brow_row(None)
    assert (moved < -1.0) if dark_up else (moved > 1.0)


def test_left_wink_closes_the_eye_at_the_right_of_the_picture(
    character: Character, neutral: NDArray[np.uint8]
) -> None:
    winking = character.render(pose_from({"eye_wink_left": 1.0}))
    blue = (neutral[..., 2].astype(int) - neutral[..., 0]) > 60
    blue_after = (winking[..., 2].astype(int) - winking[..., 0]) > 60
    left, right = np.s_[125:170, 262:300], np.s_[125:170, 212:250]
    assert blue[left].sum() > 150
    assert blue_after[left].sum() == 0
    assert blue_after[right].sum() == blue[right].sum()


def test_mouth_shapes_are_distinct(character: Character, neutral: NDArray[np.uint8]) -> None:
    left, top, right, bottom = REGIONS["mouth"]
    mouths = {
        name: character.render(pose_from({name: 1.0}))[top:bottom, left:right] for name in VISEMES
    }
    mouths["neutral"] = neutral[top:bottom, left:right]
    for one, other in itertools.combinations(mouths, 2):
        assert (change(mouths[one], mouths[other]) > 40).sum() > 60, (one, other)


def test_half_open_lies_between(character: Character, neutral: NDArray[np.uint8]) -> None:
    half = character.render(pose_from({"mouth_aaa": 0.5}))
    full = character.render(pose_from({"mouth_aaa": 1.0}))
    opened = [(change(neutral, picture) > 24).sum() for picture in (half, full)]
    assert 0 < opened[0] < opened[1]


def test_head_turns_to_opposite_sides(character: Character) -> None:
    def eye_centre(value: float) -> float:
        picture = character.render(pose_from({"head_y": value}))
        blue = (picture[120:175, :, 2].astype(int) - picture[120:175, :, 0]) > 60
        return float(np.average(np.arange(512), weights=blue.sum(0)))

    assert eye_centre(1.0) - eye_centre(0.0) > 5
    assert eye_centre(0.0) - eye_centre(-1.0) > 5


def test_values_beyond_the_range_are_clipped(character: Character) -> None:
    assert character.svg(pose_from({"head_y": 3.0})) == character.svg(pose_from({"head_y": 1.0}))
    assert character.svg(pose_from({"mouth_aaa": -1.0})) == character.svg()


@pytest.mark.parametrize("pose", [np.zeros(44), np.zeros((1, 45)), np.full(45, np.nan)])
def test_an_impossible_pose_is_refused(character: Character, pose: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="pose"):
        character.svg(pose)
