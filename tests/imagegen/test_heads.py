"""Heads are found where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_imagegen.cutout.removal import over_grey
from kuchipaku_imagegen.framing import HeadBox, Heads, open_heads

from .user_pictures import character, gradient, placed


@pytest.mark.parametrize(("scale", "at"), [(1.0, (100, 80)), (0.5, (380, 200)), (1.6, (-60, -30))])
def test_the_box_is_that_of_the_drawing(heads: Heads, scale: float, at: tuple[int, int]) -> None:
    picture = placed(character(900_010), gradient(700, 560), scale=scale, at=at)
    found = heads.find(picture[..., :3])
    expected = HeadBox(at[0] + 256 * scale, at[1] + 128 * scale, 128 * scale)
    assert len(found) == 1
    assert found[0].overlap(expected) > 0.8
    assert found[0].confidence > 0.8


def test_a_mirrored_face_is_judged_alike(heads: Heads) -> None:
    picture = placed(character(900_010), gradient(700, 560), at=(100, 80))[..., :3]
    box = HeadBox(340, 215, 130, 0.1)
    face = heads.examine(picture, box)
    other = heads.examine(
        np.ascontiguousarray(picture[:, ::-1]), HeadBox(700 - box.x, box.y, box.side, -box.angle)
    )
    assert face is not None
    assert other is not None
    assert abs(face.turn + other.turn) < 0.02
    assert abs(face.nod - other.nod) < 0.02
    assert abs(face.mouth_open - other.mouth_open) < 0.02


def test_a_small_head_in_a_large_picture_is_found(heads: Heads) -> None:
    picture = placed(character(900_010), gradient(2000, 1600), scale=0.9, at=(1300, 1000))
    found = heads.find(picture[..., :3])
    assert found
    assert found[0].overlap(HeadBox(1300 + 230.4, 1000 + 115.2, 115.2)) > 0.7


def test_no_head_is_found_where_none_is(heads: Heads) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (400, 400, 3), np.uint8)
    for picture in (noise, gradient(600, 400)[..., :3], np.zeros((64, 64, 3), np.uint8)):
        assert heads.find(np.ascontiguousarray(picture)) == []


def test_official_characters_are_found(heads: Heads) -> None:
    import os  # noqa: PLC0415

    from PIL import Image  # noqa: PLC0415

    folder = os.environ.get("KUCHIPAKU_TEST_DATA")
    if not folder:
        pytest.skip("KUCHIPAKU_TEST_DATA names no folder of test data")
    for name in ("lambda_00", "lambda_01"):
        path = Path(folder) / "data/tha/v4_student" / name / "character.png"
        with Image.open(path) as image:
            picture = over_grey(np.array(image.convert("RGBA")))
        found = heads.find(picture)
        assert len(found) == 1
        assert found[0].overlap(HeadBox(256, 128, 128)) > 0.6


def test_without_networks_there_are_no_heads(tmp_path: Path) -> None:
    assert open_heads(tmp_path) is None


def test_a_cascade_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FailedPreconditionError) as caught:
        open_heads(tmp_path, cascade=tmp_path / "lbpcascade_animeface.xml")
    assert caught.value.reason == "MODEL_FILE_MISSING"


def test_a_cascade_needs_opencv_or_a_cascade(tmp_path: Path) -> None:
    file = tmp_path / "cascade.xml"
    file.write_text("<not>a cascade</not>", "utf-8")
    with pytest.raises(FailedPreconditionError) as caught:
        open_heads(tmp_path, cascade=file)
    assert caught.value.reason in ("OPENCV_NOT_INSTALLED", "MODEL_FILE_DAMAGED")
