"""Pictures are complete, lie where the pose networks expect them, and are reproducible."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kuchipaku_animation.poses import pose_from
from kuchipaku_imagegen.illustrator import (
    Attributes,
    Character,
    random_attributes,
    render,
    render_svg,
)
from kuchipaku_imagegen.illustrator.__main__ import main
from kuchipaku_imagegen.illustrator.attributes import (
    Accessory,
    Age,
    ArmPose,
    Bangs,
    EyeShape,
    FaceShape,
    Figure,
    HairStyle,
    Outfit,
)
from kuchipaku_imagegen.illustrator.palette import (
    CLOTH_COLOURS,
    EYE_COLOURS,
    HAIR_COLOURS,
    SKIN_COLOURS,
)
from tests.imagegen.illustrator_pictures import alpha_box, change

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_SEEDS = (1, 6, 13, 24)
POSE = {"head_y": 0.6, "neck_z": -0.4, "mouth_aaa": 0.8, "eye_wink_left": 1.0}


def test_picture_is_rgba_with_a_transparent_background() -> None:
    picture = render(random_attributes(5))
    assert picture.shape == (512, 512, 4)
    assert picture.dtype == np.uint8
    assert picture[:20, :20, 3].max() == 0
    assert picture[:40, 492:, 3].max() == 0
    assert picture[110:165, 226:286, 3].min() >= 250


@pytest.mark.parametrize("seed", [3, 14])
def test_same_attributes_give_the_same_bytes(seed: int) -> None:
    one = Character(random_attributes(seed))
    other = Character(random_attributes(seed))
    other.svg(pose_from({"head_x": 1.0}))
    assert one.svg(pose_from(POSE)) == other.svg(pose_from(POSE))
    assert np.array_equal(one.render(size=128), other.render(size=128))


def test_bytes_do_not_depend_on_the_process() -> None:
    code = (
        "import hashlib; from kuchipaku_imagegen.illustrator import *;"
        "print(hashlib.sha256(render_svg(random_attributes(11)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for salt in ("1", "2")
    }
    assert len(digests) == 1


def test_different_seeds_give_different_characters() -> None:
    assert len({render_svg(random_attributes(seed)) for seed in range(12)}) == 12


@pytest.mark.parametrize("seed", GOLDEN_SEEDS)
def test_look_is_unchanged(seed: int) -> None:
    picture = render(random_attributes(seed), pose_from(POSE), size=128)
    with Image.open(GOLDEN / f"character_{seed}.png") as golden:
        expected = np.array(golden.convert("RGBA"))
    assert change(picture, expected).mean() < 1.0


@pytest.mark.parametrize("figure", Figure)
@pytest.mark.parametrize("size", [-1.0, 1.0])
def test_head_lies_in_its_box(figure: Figure, size: float) -> None:
    attributes = Attributes(figure=figure, hair_style=HairStyle.SHORT, outfit=Outfit.SWEATER)
    geometry = dataclasses.replace(attributes.geometry, head_size=size)
    picture = render(dataclasses.replace(attributes, geometry=geometry))
    left, top, right, _ = alpha_box(picture[:182])
    assert 180 <= left <= 200
    assert 312 <= right <= 332
    assert 48 <= top <= 72


@pytest.mark.parametrize("seed", [3, 300_003])
def test_a_bare_face_is_the_same_in_every_expression(seed: int) -> None:
    character = Character(random_attributes(seed))
    bare = character.render(bare=True)
    shut = pose_from({"eye_wink_left": 1.0, "eye_wink_right": 1.0, "mouth_aaa": 1.0})
    np.testing.assert_array_equal(character.render(shut, bare=True), bare)
    changed = (character.render() != bare).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert len(rows) > 500
    # Only eyes, brows and mouth are gone: what changes lies within the face.
    assert 80 < rows.min() < rows.max() < 200
    assert 190 < columns.min() < columns.max() < 322


def test_svg_numbers_have_at_most_two_decimals() -> None:
    paths = re.findall(r' d="([^"]*)"', render_svg(random_attributes(2), pose_from(POSE)))
    assert paths
    assert not any(re.search(r"\.\d{3}", path) for path in paths)
    assert not any("nan" in path or "inf" in path for path in paths)


def test_svg_references_only_what_it_defines() -> None:
    svg = render_svg(random_attributes(21), pose_from(POSE))
    used = set(re.findall(r"url\(#(\w+)\)", svg)) | set(re.findall(r'href="#(\w+)"', svg))
    defined = re.findall(r'id="(\w+)"', svg)
    assert used <= set(defined)
    assert len(defined) == len(set(defined))


@pytest.mark.parametrize("outfit", Outfit)
@pytest.mark.parametrize("figure", [Figure.GIRL, Figure.MAN])
def test_every_outfit_fits_everybody(figure: Figure, outfit: Outfit) -> None:
    picture = render(Attributes(figure=figure, outfit=outfit), size=128)
    assert picture[52:90, 58:70, 3].min() >= 250
    assert picture[-1, :, 3].max() == 255


def test_traits_are_visible() -> None:
    base = Attributes()
    plain = render(base, size=128)
    others: list[Attributes] = [
        dataclasses.replace(base, hair_style=s) for s in list(HairStyle)[1:]
    ]
    others += [dataclasses.replace(base, accessories=(a,)) for a in Accessory]
    others += [dataclasses.replace(base, bangs=b) for b in Bangs if b is not base.bangs]
    others += [dataclasses.replace(base, arms=a) for a in ArmPose if a is not base.arms]
    others += [dataclasses.replace(base, eye_shape=e) for e in EyeShape if e is not base.eye_shape]
    others += [dataclasses.replace(base, face_shape=f) for f in list(FaceShape)[1:]]
    others += [dataclasses.replace(base, age=a) for a in Age if a is not base.age]
    others.append(dataclasses.replace(base, ahoge=True))
    for attributes in others:
        assert (change(plain, render(attributes, size=128)) > 16).sum() > 10, attributes


@pytest.mark.parametrize("figure", [Figure.WOMAN, Figure.MAN])
@pytest.mark.parametrize("outfit", [Outfit.SAILOR, Outfit.HOODIE, Outfit.KIMONO, Outfit.ARMOUR])
def test_clasped_hands_lie_over_the_clothes(figure: Figure, outfit: Outfit) -> None:
    base = Attributes(
        figure=figure, outfit=outfit, outfit_colour="navy", second_colour="black", skin="fair"
    )

    def skin(attributes: Attributes) -> int:
        hands = render(attributes, size=256)[165:195, 110:146].astype(int)
        return int(((hands[..., 0] > 235) & (hands[..., 2] > 200) & (hands[..., 2] < 240)).sum())

    clasped = dataclasses.replace(base, arms=ArmPose.CLASPED)
    assert skin(clasped) - skin(base) > 60


def test_men_are_broader_than_women_and_children_smaller() -> None:
    def shoulders(figure: Figure, age: Age = Age.YOUNG) -> int:
        attributes = Attributes(
            figure=figure,
            age=age,
            hair_style=HairStyle.SHORT,
            outfit=Outfit.SUIT,
            arms=ArmPose.BEHIND,
        )
        left, _, right, _ = alpha_box(render(attributes)[230:236])
        return right - left

    man, woman = shoulders(Figure.MAN), shoulders(Figure.WOMAN)
    assert man > woman + 20
    assert shoulders(Figure.GIRL, Age.CHILD) < shoulders(Figure.GIRL) < woman


def test_the_command_writes_both_sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["illustrator", "--out", str(tmp_path), "--count", "2"])
    assert main() == 0
    with Image.open(tmp_path / "characters.png") as sheet:
        assert sheet.size == (8 * 352, 512)
    with Image.open(tmp_path / "poses.png") as sheet:
        assert sheet.size == (8 * 260, 4 * 260)


def test_random_attributes_use_the_tables() -> None:
    drawn = [random_attributes(seed) for seed in range(300)]
    assert {a.hair_colour for a in drawn} == set(HAIR_COLOURS)
    assert {a.eye_colour for a in drawn} == set(EYE_COLOURS)
    assert {a.skin for a in drawn} == set(SKIN_COLOURS)
    assert {a.outfit_colour for a in drawn} == set(CLOTH_COLOURS)
    assert {a.figure for a in drawn} == set(Figure)
    assert {a.outfit for a in drawn} == set(Outfit)
    assert {a.hair_style for a in drawn} == set(HairStyle)
    assert {a.arms for a in drawn} == set(ArmPose)
    assert {a.eye_shape for a in drawn} == set(EyeShape)
    assert {a.face_shape for a in drawn} == set(FaceShape)
    assert {name for a in drawn for name in a.accessories} == set(Accessory)
    assert all(-1 <= value <= 1 for a in drawn for value in dataclasses.astuple(a.geometry))
