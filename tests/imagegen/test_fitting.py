"""Pictures become canvases, or are refused with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_imagegen.checks import WANTED_HEAD
from kuchipaku_imagegen.cutout import MattingModels
from kuchipaku_imagegen.fitting import Check, Fit, Fitter, Verdict
from kuchipaku_imagegen.framing import Similarity
from kuchipaku_imagegen.illustrator import Attributes, random_attributes, render
from kuchipaku_imagegen.illustrator.attributes import Accessory, Bangs

from .user_pictures import character, gradient, overlap, placed

SEED = 900_003


def _checks(fit: Fit) -> dict[str, Check]:
    return {check.name: check for check in fit.checks}


def _figure(size: int = 512, top: float = 0.12) -> np.ndarray:
    """A disc for a head over a block for a body."""
    picture = np.zeros((size, size, 4), np.uint8)
    y, x = np.mgrid[:size, :size] / size
    head = (x - 0.5) ** 2 + (y - top - 0.125) ** 2 < 0.125**2
    body = (abs(x - 0.5) < 0.15) & (y > top + 0.24)
    picture[head | body] = (200, 120, 80, 255)
    return picture


@pytest.mark.parametrize("check_only", [False, True])
@pytest.mark.parametrize("seed", [3, 17, 40])
def test_a_canvas_passes_unchanged(fitter: Fitter, seed: int, check_only: bool) -> None:
    canvas = render(random_attributes(seed))
    fit = fitter.fit(canvas, check_only=check_only)
    visible = canvas[..., 3] > 0
    np.testing.assert_array_equal(fit.canvas[visible], canvas[visible])
    assert not fit.canvas[~visible].any()
    assert not [check for check in fit.checks if check.verdict is Verdict.FAIL]


@pytest.mark.parametrize(
    ("size", "scale", "at", "turn"),
    [
        ((800, 640), 0.9, (40, 120), 0.0),
        ((640, 900), 1.3, (-20, 150), 9.0),
        ((512, 512), 1.8, (-230, -60), -9.0),
    ],
)
def test_a_figure_is_brought_into_its_place(
    fitter: Fitter, size: tuple[int, int], scale: float, at: tuple[int, int], turn: float
) -> None:
    truth = character(SEED)
    fit = fitter.fit(placed(truth, gradient(*size), scale=scale, at=at, turn=turn))
    assert fit.matting_model == "starter"
    assert fit.canvas.shape == (512, 512, 4)
    assert fit.head is not None
    assert fit.canvas_head is not None
    assert fit.canvas_head.overlap(WANTED_HEAD) > 0.7
    assert np.degrees(fit.head.angle) == pytest.approx(turn, abs=4)
    head = slice(40, 200), slice(176, 336)
    assert overlap(fit.canvas[head], truth[head]) > 0.85
    checks = _checks(fit)
    assert checks["face"].verdict is Verdict.OK
    assert checks["head_box"].verdict is Verdict.OK
    assert checks["one_character"].verdict is Verdict.OK


def test_a_picture_with_alpha_is_moved_without_matting(fitter: Fitter) -> None:
    truth = character(SEED)
    picture = placed(truth, np.zeros((700, 1000, 4), np.uint8), scale=0.75, at=(500, 250))
    fit = fitter.fit(picture)
    assert fit.matting_model == ""
    assert overlap(fit.canvas, truth) > 0.8


@pytest.mark.parametrize("name", ["lambda_00", "lambda_01"])
def test_official_canvases_stay_as_they_are(fitter: Fitter, name: str) -> None:
    data = os.environ.get("KUCHIPAKU_TEST_DATA")
    if not data:
        pytest.skip("KUCHIPAKU_TEST_DATA names no folder of test data")
    with Image.open(Path(data) / "data/tha/v4_student" / name / "character.png") as image:
        canvas = np.array(image.convert("RGBA"))
    fit = fitter.fit(canvas)
    assert np.array_equal(fit.canvas[canvas[..., 3] > 0], canvas[canvas[..., 3] > 0])
    assert all(check.verdict is not Verdict.FAIL for check in fit.checks)


def test_a_tall_hat_is_not_cut_off(fitter: Fitter) -> None:
    truth = render(Attributes(accessories=(Accessory.WITCH_HAT,), bangs=Bangs.BLUNT))
    # Head as large as the rules allow, so that the hat would not fit.
    picture = placed(truth, gradient(900, 900), scale=1.4, at=(90, 120))
    fit = fitter.fit(picture)
    assert _checks(fit)["cropped"].verdict is not Verdict.FAIL
    assert (fit.canvas[:2, :, 3] > 128).sum() < 40


@pytest.mark.parametrize(
    ("pose", "name", "verdict"),
    [
        ({"eye_wink": 1.0}, "eyes", Verdict.FAIL),
        ({"eye_happy_wink": 1.0}, "eyes", Verdict.FAIL),
        ({"mouth_aaa": 1.0}, "mouth", Verdict.WARN),
        ({"head_y": 1.0}, "frontal", Verdict.WARN),
        ({}, "eyes", Verdict.OK),
        ({}, "mouth", Verdict.OK),
        ({}, "frontal", Verdict.OK),
        ({}, "brows", Verdict.OK),
    ],
)
def test_faces_are_judged(
    fitter: Fitter, pose: dict[str, float], name: str, verdict: Verdict
) -> None:
    fit = fitter.fit(placed(character(SEED, **pose), gradient(512, 512)))
    check = _checks(fit)[name]
    assert check.verdict is verdict
    assert check.value is not None
    assert check.message.endswith(".")


def test_two_characters_are_too_many(fitter: Fitter) -> None:
    picture = placed(character(SEED), gradient(1000, 560), at=(-20, 40))
    picture = placed(character(SEED + 5), picture, at=(480, 40))
    check = _checks(fitter.fit(picture))["one_character"]
    assert check.verdict is Verdict.FAIL
    assert check.value == 2


def test_a_head_that_the_picture_cuts_off_is_told(fitter: Fitter) -> None:
    picture = placed(character(SEED), gradient(512, 512), scale=1.5, at=(-128, -150))
    check = _checks(fitter.fit(picture))["cropped"]
    assert check.verdict is Verdict.FAIL
    assert "head" in check.message


def test_a_face_without_shoulders_is_told(fitter: Fitter) -> None:
    whole = placed(character(SEED), gradient(512, 512))
    face = whole[52:206, 178:334]
    check = _checks(fitter.fit(np.ascontiguousarray(face)))["cropped"]
    assert check.verdict is Verdict.FAIL
    assert "shoulders" in check.message


def test_small_pictures_are_told_to_be_soft(fitter: Fitter) -> None:
    picture = placed(character(SEED), gradient(200, 200), scale=200 / 512)
    check = _checks(fitter.fit(picture))["size"]
    assert check.verdict is Verdict.WARN
    assert "200x200" in check.message


@pytest.mark.parametrize("size", [300, 1024])
def test_without_a_head_the_middle_square_is_scaled(matting: MattingModels, size: int) -> None:
    fit = Fitter(None, matting).fit(_figure(size))
    assert fit.canvas.shape == (512, 512, 4)
    expected = _figure()[..., 3].astype(int)
    assert np.mean(abs(fit.canvas[..., 3].astype(int) - expected)) < 2
    # Scaling must not darken the rim with the colour of invisible pixels.
    rim = (fit.canvas[..., 3] > 40) & (fit.canvas[..., 3] < 220)
    assert rim.any()
    assert abs(np.median(fit.canvas[rim][:, 0]) - 200) < 12


def test_a_cut_out_without_a_face_is_told(fitter: Fitter) -> None:
    checks = _checks(fitter.fit(_figure(top=0.4)))
    assert checks["face"].verdict is Verdict.FAIL
    assert checks["head_box"].verdict is Verdict.WARN
    assert "192-319" in checks["head_box"].message


_GREY = np.full((512, 512, 4), 255, np.uint8)


@pytest.mark.parametrize(
    ("picture", "check_only", "reason"),
    [
        (_GREY, False, "NO_CHARACTER_FOUND"),
        (gradient(700, 400), False, "NO_CHARACTER_FOUND"),
        (_GREY, True, "PICTURE_HAS_BACKGROUND"),
        (np.zeros((512, 512, 4), np.uint8), False, "PICTURE_EMPTY"),
        (_figure(300), True, "SIZE_NOT_CANVAS"),
    ],
)
def test_what_cannot_be_animated_is_refused(
    fitter: Fitter, picture: np.ndarray, check_only: bool, reason: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        fitter.fit(picture, check_only=check_only)
    assert caught.value.reason == reason
    assert caught.value.field == "image"


def test_transparency_around_a_picture_hides_no_background(fitter: Fitter) -> None:
    """A round avatar, and a window in its frame."""
    truth = character(SEED)
    picture = placed(truth, gradient(512, 512))
    y, x = np.mgrid[:512, :512] - 255.5
    picture[x**2 + y**2 > 255.0**2] = 0
    fit = fitter.fit(picture)
    assert fit.matting_model == "starter"
    truth[x**2 + y**2 > 255.0**2] = 0
    assert fit.head is not None
    assert fit.canvas_head is not None
    whole = Similarity.between(fit.head, fit.canvas_head).picture(truth, (512, 512))
    assert overlap(fit.canvas, whole) > 0.9


def test_without_a_head_network_the_background_goes_all_the_same(matting: MattingModels) -> None:
    truth = character(SEED)
    fit = Fitter(None, matting).fit(placed(truth, gradient(512, 512)))
    assert fit.matting_model == "starter"
    assert overlap(fit.canvas, truth) > 0.9
