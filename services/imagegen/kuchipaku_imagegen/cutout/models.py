"""Matting models by name: the starter network, and rembg's where their files are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kuchipaku_contract.errors import NotFoundError, UnimplementedError
from kuchipaku_imagegen.onnxmodel import OnnxModel

from .rembgmodel import RembgModel, rembg_files

Floats = NDArray[np.float32]

STARTER: Final = "starter"
_MEAN: Final = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION: Final = np.array([0.229, 0.224, 0.225], np.float32)


class MattingModel(Protocol):
    """Tells foreground from background. Blocking."""

    def mask(self, picture: NDArray[np.uint8]) -> Floats:
        """The share of foreground (h, w), 0..1, of any size, over a picture (H, W, 3) uint8."""
        ...


class StarterMatting:
    """Our own network, fed as rembg's custom U^2-Net session feeds it."""

    def __init__(self, path: Path, *, threads: int, gpu: bool) -> None:
        """Open the ONNX file; raises as `OnnxModel`."""
        self._model = OnnxModel(path, threads=threads, gpu=gpu)
        self._side = int(self._model.input_shape[2] or 320)

    def mask(self, picture: NDArray[np.uint8]) -> Floats:
        """See `MattingModel.mask`."""
        image = Image.fromarray(picture).resize((self._side, self._side), Image.Resampling.LANCZOS)
        values = np.asarray(image, np.float32)
        values = values / max(1.0, float(values.max()))
        values = ((values - _MEAN) / _DEVIATION).transpose(2, 0, 1)[None]
        output: Floats = self._model(np.ascontiguousarray(values, np.float32))
        return np.asarray(output[0, 0], np.float32)


class MattingModels:
    """The models by name, opened at their first use; the first is the default."""

    def __init__(self, makers: Mapping[str, Callable[[], MattingModel]]) -> None:
        """`makers` open the models."""
        self._makers = dict(makers)
        self._opened: dict[str, MattingModel] = {}
        self._lock = Lock()

    def __iter__(self) -> Iterator[str]:
        """The names, the default first."""
        return iter(self._makers)

    def resolve(self, name: str, *, field: str = "model") -> str:
        """The name of a model that is there; the default for an empty one. `field` names it.

        Raises `UnimplementedError` NO_MATTING_MODEL and `NotFoundError` MATTING_MODEL_NOT_FOUND.
        """
        if not self._makers:
            raise UnimplementedError(
                "No model for removing backgrounds is installed. Send pictures whose background "
                "is transparent.",
                reason="NO_MATTING_MODEL",
            )
        if name and name not in self._makers:
            raise NotFoundError(
                f"There is no matting model {name!r}; there is {', '.join(self._makers)}.",
                reason="MATTING_MODEL_NOT_FOUND",
                field=field,
                model=name,
            )
        return name or next(iter(self._makers))

    def get(self, name: str) -> MattingModel:
        """The model of that name, opened. Raises as `resolve` and as opening it does."""
        name = self.resolve(name)
        with self._lock:
            if name not in self._opened:
                self._opened[name] = self._makers[name]()
            return self._opened[name]


def open_matting_models(
    folder: Path,
    *,
    rembg_folder: Path | None,
    default: str = "",
    allow_downloads: bool = False,
    threads: int = 1,
    gpu: bool = False,
) -> MattingModels:
    """Find the models: `folder`/matting.onnx and what rembg's folder holds.

    Raises `NotFoundError` where `default` names none of them.
    """
    makers: dict[str, Callable[[], MattingModel]] = {}
    path = folder / "matting.onnx"
    if path.is_file():
        makers[STARTER] = partial(StarterMatting, path, threads=threads, gpu=gpu)
    for name, place in rembg_files(rembg_folder, allow_downloads=allow_downloads):
        makers[name] = partial(RembgModel, name, place, threads=threads, gpu=gpu)
    models = MattingModels(makers)
    if default:
        chosen = models.resolve(default)
        makers = {chosen: makers.pop(chosen), **makers}
        models = MattingModels(makers)
    return models
