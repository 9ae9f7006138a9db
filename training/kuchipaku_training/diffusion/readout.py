"""What a caption decides, read from latents by one matrix product, so that errors in it can weigh.

The colour of eyes is a thousandth of what differs between pictures: a network that learns from the
squared error of latents alone learns much else before. Ridge regression (Hoerl and Kennard 1970)
from clean latents to traits finds the directions that tell them apart; errors along these count
besides. What predicts best remains the same, the mean of all pictures that fit.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_imagegen.illustrator import Attributes
from kuchipaku_training.diffusion import traits

Floats = NDArray[np.float32]

_RIDGE: Final = 0.1
#: A choice counts so many times an accessory; more where little shows it, or is read.
_CHOICE: Final = 2.0
_SMALL: Final = {"eye_colour": 8.0, "outfit_colour": 4.0}
_BLOCK: Final = 500


def indicators(shown: tuple[Attributes, ...]) -> Floats:
    """1 for each value of a trait that a character has and for each accessory, else 0, (n, 84)."""
    chosen = np.stack([traits.choices_of(one) for one in shown])
    parts = [
        np.eye(len(values), dtype=np.float32)[column]
        for values, column in zip(traits.CHOICES.values(), chosen.T, strict=True)
    ]
    worn = np.stack([traits.accessories_of(one) for one in shown])
    return np.concatenate([*parts, worn], 1)


def fit(latents: NDArray[np.floating[Any]], shown: tuple[Attributes, ...]) -> Floats:
    """The matrix (c * h * w, 84) that reads traits from latents.

    Args:
        latents: (n, views, c, h, w), of mean square about 1.
        shown: what the n pictures show.

    The squares of what is read add up to 1 on average, each choice having its part in that and
    every accessory a smaller one; nothing is read of a trait that does not vary.
    """
    count, views = latents.shape[:2]
    told = np.repeat(indicators(shown), views, 0)
    flat = latents.reshape(count * views, -1)
    mean = flat.mean(0, dtype=np.float64).astype(np.float32)
    size = flat.shape[1]
    square, product = (
        np.zeros((size, size), np.float32),
        np.zeros((size, told.shape[1]), np.float32),
    )
    for start in range(0, len(flat), _BLOCK):
        part = flat[start : start + _BLOCK].astype(np.float32) - mean
        square += part.T @ part
        product += part.T @ (told[start : start + _BLOCK] - told.mean(0))
    square /= len(flat)
    product /= len(flat)
    matrix = np.linalg.solve(square + _RIDGE * np.eye(size, dtype=np.float32), product)
    variance = np.einsum("ik,ij,jk->k", matrix, square, matrix, optimize=True)
    return np.asarray(matrix * np.sqrt(_shares() / np.maximum(variance, 1e-6)), np.float32)


def correlations(
    matrix: Floats, latents: NDArray[np.floating[Any]], shown: tuple[Attributes, ...]
) -> dict[str, float]:
    """How what is read of each trait goes with what pictures (n, views, c, h, w) show, -1..1.

    Of a choice, the mean over its values; values that none or all have are left out.
    """
    first = latents[:, 0].reshape(len(latents), -1).astype(np.float32)
    read, truth = first @ matrix, indicators(shown)
    names = [name for name, values in traits.CHOICES.items() for _ in values]
    found: dict[str, list[float]] = {}
    for name, one, other in zip([*names, *traits.ACCESSORIES], read.T, truth.T, strict=True):
        if other.std() > 0 and one.std() > 0:
            found.setdefault(name, []).append(float(np.corrcoef(one, other)[0, 1]))
    return {name: float(np.mean(values)) for name, values in found.items()}


def _shares() -> NDArray[np.float64]:
    """What each number counts, (84,)."""
    choices = [
        np.full(len(values), _SMALL.get(name, _CHOICE) / len(values))
        for name, values in traits.CHOICES.items()
    ]
    shares = np.concatenate([*choices, np.ones(len(traits.ACCESSORIES))])
    return shares / shares.sum()


def open_readout(
    path: Path, latents: NDArray[np.floating[Any]], shown: tuple[Attributes, ...]
) -> Floats:
    """Read the matrix from `path` (.npz); fitted and written if there is none of these pictures."""
    digest = hashlib.sha256(
        str(latents.shape).encode()
        + latents[:: len(latents) // 8 or 1].tobytes()
        + _shares().tobytes()
    )
    key = np.frombuffer(digest.digest(), np.uint8)
    if path.exists():
        with np.load(path) as kept:
            if np.array_equal(kept["key"], key) and kept["matrix"].shape[1] == traits.OUTPUTS:
                return np.asarray(kept["matrix"], np.float32)
    matrix = fit(latents, shown)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez(file, matrix=matrix, key=key)
    partial.replace(path)
    return matrix
