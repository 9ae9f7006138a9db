"""Fixed linear latents: principal components of square patches of the pictures.

A patch of 16 x 16 pixels becomes 32 numbers by two matrix products, first its quarters, then the
whole, found in closed form in seconds (Pearson 1901); a trained decoder makes pictures of them.
Such latents are those of an autoencoder whose encoder is linear.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import FailedPreconditionError

PATCH: Final = 16
#: Components that are kept of a quarter, 8 x 8 pixels.
QUARTER_CHANNELS: Final = 64
CHANNELS: Final = 32
#: What the network is given is this many times what the autoencoder of the export calls latents,
#: whose decoder squeezes large values.
SCALING: Final = 4.0
#: Of the standard deviation of a component, how much is divided out: 1 makes all alike, and so
#: lets noise in details that hardly show cost as much as a wrong colour; 0 leaves them as they are.
_EVENNESS: Final = 0.6
#: Rows and columns of patches where eyes are in every bust: few, and looked at first.
EYES: Final = (slice(7, 10), slice(5, 11))
#: How often a patch there counts when components are fitted, elsewhere 1.
_EYE_WEIGHT: Final = 8.0
FITTED_PICTURES: Final = 600
_BLOCK: Final = 100

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LinearLatents:
    """The map from a patch (768 values in 0..1: row, column, RGB) to a latent of mean square 1."""

    mean: Floats
    """(768,)"""
    first: Floats
    """(64, 192): components of a quarter (192 values: row, column, RGB)."""
    second: Floats
    """(channels, 256): a latent of the components of the quarters, row by row."""
    inverse: Floats
    """(768, channels): the nearest patch = inverse @ latent + mean."""

    @property
    def matrix(self) -> Floats:
        """(channels, 768): latent = matrix @ (patch - mean)."""
        return self.second @ _on_quarters(self.first)

    def encode(self, pictures: NDArray[np.uint8]) -> Floats:
        """Latents (n, channels, h / 16, w / 16) of RGB pictures (n, h, w, 3)."""
        matrix, parts = self.matrix.T, []
        for start in range(0, len(pictures), _BLOCK):
            patches = patches_of(pictures[start : start + _BLOCK])
            parts.append((patches - self.mean) @ matrix)
        return np.ascontiguousarray(np.concatenate(parts).transpose(0, 3, 1, 2))

    def decode(self, latents: Floats) -> Floats:
        """The nearest pictures (n, h, w, 3), about 0..1, of latents (n, channels, h/16, w/16)."""
        patches = latents.transpose(0, 2, 3, 1) @ self.inverse.T + self.mean
        n, rows, columns, _ = patches.shape
        split = patches.reshape(n, rows, columns, PATCH, PATCH, 3).transpose(0, 1, 3, 2, 4, 5)
        return np.ascontiguousarray(split.reshape(n, rows * PATCH, columns * PATCH, 3))

    def save(self, path: Path) -> None:
        """Write the arrays."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **asdict(self))

    @classmethod
    def load(cls, path: Path) -> LinearLatents:
        """Read them. Raises FailedPreconditionError if there are none."""
        if not path.exists():
            raise FailedPreconditionError(
                f"{path} is missing; render the data first", reason="LATENTS_MISSING"
            )
        with np.load(path) as arrays:
            return cls(**arrays)


def patches_of(pictures: NDArray[np.uint8]) -> Floats:
    """Patches (n, h / 16, w / 16, 768) in 0..1 of RGB pictures (n, h, w, 3)."""
    n, height, width, _ = pictures.shape
    rows, columns = height // PATCH, width // PATCH
    split = pictures.reshape(n, rows, PATCH, columns, PATCH, 3).transpose(0, 1, 3, 2, 4, 5)
    return split.reshape(n, rows, columns, PATCH * PATCH * 3).astype(np.float32) / 255.0


def fit(pictures: NDArray[np.uint8], channels: int = CHANNELS) -> LinearLatents:
    """Fit the components to RGB pictures (n, h, w, 3) and their mirror images."""
    mean, covariance = _moments(pictures[:FITTED_PICTURES])
    quarters = [covariance[np.ix_(index, index)] for index in _quarter_indices()]
    first, _ = _components(np.mean(quarters, 0), QUARTER_CHANNELS)
    packed = _on_quarters(first)
    basis, deviation = _components(packed @ covariance @ packed.T, channels)
    second = basis / deviation[:, None] ** _EVENNESS
    second /= _root_mean_square(pictures[:FITTED_PICTURES], mean, second @ packed)
    matrix = second @ packed
    seen = covariance @ matrix.T
    inverse = np.linalg.solve(matrix @ seen, seen.T).T
    arrays = (mean, first, second, inverse)
    return LinearLatents(*(np.ascontiguousarray(values, np.float32) for values in arrays))


def _moments(pictures: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (768,) and covariance (768, 768) of the patches, some counting more."""
    size = PATCH * PATCH * 3
    rows, columns = pictures.shape[1] // PATCH, pictures.shape[2] // PATCH
    weights = np.ones((rows, columns))
    weights[EYES] = _EYE_WEIGHT
    total, square = np.zeros(size), np.zeros((size, size))
    both = np.concatenate([pictures, pictures[:, :, ::-1]])
    for start in range(0, len(both), _BLOCK):
        patches = patches_of(both[start : start + _BLOCK])
        weighted = (patches * weights[:, :, None].astype(np.float32)).reshape(-1, size)
        total += weighted.sum(0, dtype=np.float64)
        square += weighted.T @ patches.reshape(-1, size)
    count = weights.sum() * len(both)
    mean = total / count
    return mean, square / count - np.outer(mean, mean)


def _root_mean_square(
    pictures: NDArray[np.uint8], mean: NDArray[np.float64], matrix: NDArray[np.float64]
) -> float:
    """Of the latents that `matrix` makes, patches counting alike."""
    total, count = 0.0, 0
    for start in range(0, len(pictures), _BLOCK):
        made = (patches_of(pictures[start : start + _BLOCK]) - mean) @ matrix.T
        total, count = total + float((made**2).sum()), count + made.size
    return (total / count) ** 0.5


def _components(
    covariance: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The first components (count, size) and their standard deviations."""
    values, vectors = np.linalg.eigh(covariance)
    deviation = np.sqrt(np.maximum(values[::-1][:count], 1e-12))
    return np.ascontiguousarray(vectors[:, ::-1][:, :count].T), deviation


def _quarter_indices() -> NDArray[np.int64]:
    """Where in a patch the values (192: row, column, RGB) of its four quarters lie."""
    half = PATCH // 2
    index = np.arange(PATCH * PATCH * 3).reshape(2, half, 2, half, 3)
    return index.transpose(0, 2, 1, 3, 4).reshape(4, -1)


def _on_quarters(first: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """The matrix (256, 768) that applies `first` to the four quarters of a patch."""
    whole = np.zeros((4, len(first), PATCH * PATCH * 3), first.dtype)
    for quarter, index in enumerate(_quarter_indices()):
        whole[quarter][:, index] = first
    return whole.reshape(-1, whole.shape[-1])
