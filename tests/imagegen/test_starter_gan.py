"""The generator of faces that this repository carries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kuchipaku_imagegen.backends import Order
from kuchipaku_imagegen.backends.gan import GanBackend

FOLDER = Path(__file__).resolve().parents[2] / "models" / "starter" / "gan"


def _progress(index: int, step: int, step_count: int, preview: object = None) -> None:
    """Nobody listens."""


_progress.check = lambda: None  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    """48 faces (48, 128, 128, 3)."""
    backend = GanBackend("faces", FOLDER / "generator.onnx")
    drawn = backend.draw(Order("", "", 1000, 48), _progress)  # type: ignore[arg-type]
    return np.stack([one.pixels[..., :3] for one in drawn])


def test_it_is_small_and_of_safe_files() -> None:
    files = [path for path in FOLDER.iterdir() if path.is_file()]
    assert {path.suffix for path in files} <= {".onnx", ".md", ".jpg"}
    assert sum(path.stat().st_size for path in files) < 12e6


def test_faces_stand_on_a_plain_ground(faces: np.ndarray) -> None:
    assert faces.shape == (48, 128, 128, 3)
    corners = faces[:, :10, [0, 1, 2, 3, -4, -3, -2, -1]]
    assert np.median(corners) > 245
    assert np.median(faces[:, 40:100, 40:88]) < 245


def test_faces_are_many_and_have_hard_lines(faces: np.ndarray) -> None:
    small = faces.reshape(48, 16, 8, 16, 8, 3).mean((2, 4))
    distances = np.sqrt(((small[:, None] - small[None]) ** 2).mean((2, 3, 4)))
    np.fill_diagonal(distances, np.inf)
    assert distances.min() > 5
    hair = faces[:, 20:40, 40:88].reshape(48, -1, 3).mean(1)
    assert hair.std(0).min() > 25
    edges = np.abs(np.diff(faces.astype(float).mean(-1), axis=2))
    assert np.quantile(edges, 0.99) > 40
