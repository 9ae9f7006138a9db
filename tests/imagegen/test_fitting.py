"""Pictures become canvases, or are refused with a reason."""

from __future__ import annotations

import numpy as np
import pytest

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_imagegen.fitting import Verdict, fit_canvas
from kuchipaku_imagegen.illustrator import random_attributes, render


def _figure(size: int = 512, top: float = 0.12) -> np.ndarray:
    """A disc for a head over a block for a body."""
    picture = np.zeros((size, size, 4), np.uint8)
    y, x = np.mgrid[:size, :size] / size
    head = (x - 0.5) ** 2 + (y - top - 0.125) ** 2 < 0.125**2
    body = (abs(x - 0.5) < 0.15) & (y > top + 0.24)
    picture[head | body] = (200, 120, 80, 255)
    return picture


def test_a_canvas_passes_unchanged() -> None:
    canvas = render(random_attributes(3))
    fit = fit_canvas(canvas, check_only=True)
    visible = canvas[..., 3] > 0
    np.testing.assert_array_equal(fit.canvas[visible], canvas[visible])
    assert not fit.canvas[~visible].any()
    assert {check.verdict for check in fit.checks} == {Verdict.OK}


@pytest.mark.parametrize("size", [300, 1024])
def test_other_sizes_are_scaled(size: int) -> None:
    fit = fit_canvas(_figure(size))
    assert fit.canvas.shape == (512, 512, 4)
    expected = _figure()[..., 3].astype(int)
    assert np.mean(abs(fit.canvas[..., 3].astype(int) - expected)) < 2
    # Scaling must not darken the rim with the colour of invisible pixels.
    rim = (fit.canvas[..., 3] > 40) & (fit.canvas[..., 3] < 220)
    assert rim.any()
    assert abs(np.median(fit.canvas[rim][:, 0]) - 200) < 12


def test_the_middle_square_of_a_wide_picture_is_used() -> None:
    wide = np.zeros((512, 900, 4), np.uint8)
    wide[:, 194:706] = _figure()
    np.testing.assert_array_equal(fit_canvas(wide).canvas, _figure())


def test_a_figure_that_stands_too_low_is_noticed() -> None:
    checks = {check.name: check for check in fit_canvas(_figure(top=0.4)).checks}
    assert checks["head_box"].verdict is Verdict.WARN
    assert "192-319" in checks["head_box"].message


@pytest.mark.parametrize(
    ("picture", "check_only", "reason"),
    [
        (np.full((512, 512, 4), 255, np.uint8), False, "PICTURE_HAS_BACKGROUND"),
        (np.zeros((512, 512, 4), np.uint8), False, "PICTURE_EMPTY"),
        (_figure(300), True, "SIZE_NOT_CANVAS"),
    ],
)
def test_what_cannot_be_animated_is_refused(
    picture: np.ndarray, check_only: bool, reason: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        fit_canvas(picture, check_only=check_only)
    assert caught.value.reason == reason
    assert caught.value.field == "image"
