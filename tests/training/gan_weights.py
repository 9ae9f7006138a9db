"""Random weights of generators and faces to learn from, for the tests of the GAN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kuchipaku_training.gan.architectures import (
    CLASSIC,
    LATENT_SIZES,
    classic_generator,
    small_decoder,
    small_generator,
)
from kuchipaku_training.gan.layers import Layers, weight_shapes

LAYERS = {CLASSIC: classic_generator(), "small": small_generator() + small_decoder()}


def random_weights(layers: Layers, inputs: int) -> dict[str, NDArray[np.float32]]:
    """Weights that keep values at about their size."""
    rng = np.random.default_rng(0)
    weights = {}
    for name, shape in weight_shapes(layers, inputs).items():
        fan = float(np.prod(shape[:-1])) or 1.0
        array = rng.normal(0, 1 / np.sqrt(fan), shape)
        if name.endswith(("variance", "gamma")):
            array = rng.uniform(0.5, 1.5, shape)
        weights[name] = array.astype(np.float32)
    return weights


def weights_of(architecture: str) -> dict[str, NDArray[np.float32]]:
    """Random weights of a whole generator."""
    return random_weights(LAYERS[architecture], LATENT_SIZES[architecture])


def face(seed: int, size: int = 128) -> NDArray[np.uint8]:
    """A disc with two eyes on a plain ground: RGB (size, size, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    cx, cy = rng.uniform(0.45, 0.55, 2)
    picture = np.empty((size, size, 3))
    picture[:] = rng.uniform(180, 255, 3)
    picture[np.hypot(x - cx, y - cy) < rng.uniform(0.25, 0.4)] = rng.uniform(100, 220, 3)
    for side in (-1, 1):
        eye = np.hypot(x - cx - side * 0.12, y - cy) < rng.uniform(0.04, 0.07)
        picture[eye] = rng.uniform(0, 120, 3)
    return picture.astype(np.uint8)


def write_faces(folder: Path, count: int) -> Path:
    """A folder of pictures of 128 x 128 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        Image.fromarray(face(seed)).save(folder / f"{seed:04d}.png")
    return folder
