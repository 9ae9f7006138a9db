"""Traits are read from latents by a matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kuchipaku_imagegen.illustrator import Attributes
from kuchipaku_training.diffusion import readout, traits
from kuchipaku_training.diffusion.subjects import subject

SHAPE = (2, 4, 4, 6)
"""Views, channels, rows and columns."""


def drawn(first: int, count: int) -> tuple[NDArray[np.float16], tuple[Attributes, ...]]:
    """Latents of noise in which eye colours show, each in a place of its own."""
    shown = tuple(subject(seed) for seed in range(first, first + count))
    rng = np.random.default_rng(first)
    latents = rng.standard_normal((count, *SHAPE))
    eyes = traits.CHOICES["eye_colour"]
    for latent, one in zip(latents, shown, strict=True):
        row, column = divmod(eyes.index(one.eye_colour), SHAPE[-1])
        latent[:, 1, row, column] += 2.0
        latent[:, 0, 0, 0] = 3.0 if "glasses" in one.accessories else 0.0
    return latents.astype(np.float16), shown


def test_what_shows_is_read_of_pictures_that_were_never_seen() -> None:
    matrix = readout.fit(*drawn(0, 1500))
    latents, shown = drawn(50_000, 300)
    read = latents[:, 0].reshape(300, -1).astype(np.float32) @ matrix
    truth = readout.indicators(shown)
    assert read.shape == truth.shape == (300, traits.OUTPUTS)
    glasses = traits.OUTPUTS - len(traits.ACCESSORIES) + traits.ACCESSORIES.index("glasses")
    assert np.corrcoef(read[:, glasses], truth[:, glasses])[0, 1] > 0.95
    first = len(traits.CHOICES["hair_colour"]) + len(traits.CHOICES["hair_style"])
    eyes = slice(first, first + len(traits.CHOICES["eye_colour"]))
    right = (read[:, eyes].argmax(1) == truth[:, eyes].argmax(1)).mean()
    assert right > 0.3  # a guess is right in a ninth
    assert np.var(read, 0).sum() == pytest.approx(1.0, rel=0.2)


def test_it_is_told_how_well_traits_are_read() -> None:
    told = readout.correlations(readout.fit(*drawn(0, 1500)), *drawn(50_000, 300))
    assert set(told) == {*traits.CHOICES, *traits.ACCESSORIES}
    assert told["glasses"] > 0.95
    assert told["eye_colour"] > 0.5
    assert abs(told["outfit"]) < 0.2


def test_what_does_not_vary_is_not_read() -> None:
    latents, shown = drawn(0, 200)
    matrix = readout.fit(latents, (shown[0],) * 200)
    assert np.abs(matrix).max() < 1e-3


def test_the_matrix_is_fitted_once_for_the_same_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "work" / "readout.npz"
    latents, shown = drawn(0, 40)
    first = readout.open_readout(path, latents, shown)
    more, shown_more = drawn(0, 50)
    other = readout.open_readout(path, more, shown_more)
    assert not np.array_equal(first, other)
    monkeypatch.setattr(readout, "fit", None)
    np.testing.assert_array_equal(readout.open_readout(path, more, shown_more), other)
    assert [one.name for one in path.parent.iterdir()] == [path.name]
