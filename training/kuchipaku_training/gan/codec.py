"""A linear code of pictures: the principal components of 8 x 8 patches.

The small GAN generates codes (16, 16, 24) in place of pictures; its decoder starts as the inverse.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_training.gan.architectures import CODE_CHANNELS, PATCH

Floats = NDArray[np.float32]

_SAMPLE: Final = 1500
#: Fine components are scaled up against coarse ones, but not up to their size (1 would do that):
#: else the discriminator would look for noise.
_EVENNESS: Final = 0.5


@dataclass(frozen=True)
class Codec:
    """`encoding` (192, 24) and `mean` (192,): code = (patch - mean) @ encoding.

    `decoding` (24, 192) is the inverse on the span of the components. Patches are ordered row,
    column, colour; values are -1..1.
    """

    mean: Floats
    encoding: Floats
    decoding: Floats

    def encode(self, pictures: Floats) -> Floats:
        """Pictures (n, h, w, 3), -1..1 -> codes (n, h / 8, w / 8, 24)."""
        return np.asarray((patches_of(pictures) - self.mean) @ self.encoding, np.float32)

    def decode(self, codes: Floats) -> Floats:
        """Codes -> pictures, about -1..1."""
        patches = codes @ self.decoding + self.mean
        n, rows, columns, _ = patches.shape
        cells = patches.reshape(n, rows, columns, PATCH, PATCH, 3).transpose(0, 1, 3, 2, 4, 5)
        return cells.reshape(n, rows * PATCH, columns * PATCH, 3)

    def save(self, path: Path) -> None:
        """Write the code as .npz."""
        with path.open("wb") as stream:
            np.savez(stream, mean=self.mean, encoding=self.encoding, decoding=self.decoding)

    @classmethod
    def load(cls, path: Path) -> Codec:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["mean"], arrays["encoding"], arrays["decoding"])


def patches_of(pictures: Floats) -> Floats:
    """Pictures (n, h, w, 3) -> patches (n, h / 8, w / 8, 192)."""
    n, height, width, _ = pictures.shape
    cells = pictures.reshape(n, height // PATCH, PATCH, width // PATCH, PATCH, 3)
    ordered = cells.transpose(0, 1, 3, 2, 4, 5)
    return ordered.reshape(n, height // PATCH, width // PATCH, PATCH * PATCH * 3)


def fit_codec(faces: NDArray[np.uint8], seed: int = 0) -> Codec:
    """Fit the code to faces (n, 128, 128, 3) uint8."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(faces), min(_SAMPLE, len(faces)), replace=False)
    pictures = faces[np.sort(chosen)].astype(np.float32) / 127.5 - 1.0
    patches = patches_of(pictures).reshape(-1, 3 * PATCH**2)
    mean = patches.mean(0)
    covariance = np.cov(patches - mean, rowvar=False).astype(np.float64)
    values, vectors = np.linalg.eigh(covariance)
    order = np.argsort(values)[::-1][:CODE_CHANNELS]
    spread = np.sqrt(np.maximum(values[order], 1e-8))
    scale = spread**_EVENNESS * spread[0] ** (1 - _EVENNESS)
    basis = vectors[:, order]
    return Codec(
        mean.astype(np.float32),
        (basis / scale).astype(np.float32),
        (basis * scale).T.astype(np.float32),
    )
