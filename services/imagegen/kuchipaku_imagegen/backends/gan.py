"""Generators of GANs as ONNX files: stills of faces, by seed alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_imagegen.onnxmodel import OnnxModel

from .base import Capabilities, Drawing, Order, Progress

Floats = NDArray[np.float32]


def latent(seed: int, size: int) -> Floats:
    """The standard-normal input (size,) of a seed. Any 64-bit integer is a seed."""
    generator = np.random.Generator(np.random.PCG64(seed % 2**64))
    return generator.standard_normal(size).astype(np.float32)


def between(start: Floats, end: Floats, share: float) -> Floats:
    """Spherical interpolation (Shoemake 1985): stays as far from 0 as the two are."""
    one, other = start / np.linalg.norm(start), end / np.linalg.norm(end)
    angle = float(np.arccos(np.clip(one @ other, -1.0, 1.0)))
    if angle < 1e-4:
        return np.asarray(start + share * (end - start), np.float32)
    first, last = np.sin((1 - share) * angle), np.sin(share * angle)
    return np.asarray((first * start + last * end) / np.sin(angle), np.float32)


class GanBackend:
    """A generator network: float32 (n, z), standard normal -> pictures, channels first or last.

    Values are -1..1, or 0..1 where the file's metadata says ``kuchipaku.range`` = ``0..1``.
    """

    def __init__(
        self, name: str, path: Path, *, license_name: str = "", threads: int = 1, gpu: bool = False
    ) -> None:
        """The file is opened at the first picture."""
        self._path, self._threads, self._gpu = path, threads, gpu
        self._model: OnnxModel | None = None
        self._lock = Lock()
        self.capabilities = Capabilities(
            name=name,
            description=f"Generative adversarial network {path.name}: stills by seed.",
            license=license_name or "unknown",
            ignores_prompt=True,
            supports_interpolation=True,
            chooses_size=False,
        )

    def draw(self, order: Order, on_progress: Progress) -> Iterator[Drawing]:
        """See `ImageBackend.draw`. With an end seed the pictures lead from seed to it."""
        model = self._opened()
        size = model.input_shape[-1]
        if not isinstance(size, int):
            raise _no_generator(self._path)
        for index in range(order.image_count):
            on_progress(index, 0, 1)
            values, seed = latent(order.seed + index, size), order.seed + index
            if order.end_seed is not None:
                share = index / max(1, order.image_count - 1)
                start, end = latent(order.seed, size), latent(order.end_seed, size)
                values = between(start, end, share)
                seed = order.end_seed if share == 1.0 else order.seed
            pixels = self._pixels(model, values)
            on_progress(index, 1, 1)
            yield Drawing(pixels, seed)

    def _opened(self) -> OnnxModel:
        with self._lock:
            if self._model is None:
                model = OnnxModel(self._path, threads=self._threads, gpu=self._gpu)
                if len(model.input_shape) != 2:
                    raise _no_generator(self._path)
                self._model = model
            return self._model

    def _pixels(self, model: OnnxModel, values: Floats) -> NDArray[np.uint8]:
        output = model(values[None])
        if output.ndim != 4 or 3 not in (output.shape[1], output.shape[3]):
            raise _no_generator(self._path)
        picture = output[0] if output.shape[3] == 3 else output[0].transpose(1, 2, 0)
        if model.property_of("kuchipaku.range", "-1..1") == "-1..1":
            picture = picture * 0.5 + 0.5
        levels = np.rint(np.clip(np.nan_to_num(picture), 0.0, 1.0) * 255.0).astype(np.uint8)
        return np.dstack([levels, np.full(levels.shape[:2], 255, np.uint8)])


def _no_generator(path: Path) -> FailedPreconditionError:
    return FailedPreconditionError(
        f"{path.name} is no generator: it should take (n, z) and give pictures of three channels.",
        reason="MODEL_FILE_DAMAGED",
    )
