"""Models of rembg (https://github.com/danielgatis/rembg), imported only when one is used.

Its first import compiles for half a minute unless numba's cache is there (NUMBA_CACHE_DIR).
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kuchipaku_contract.errors import FailedPreconditionError

#: Names of rembg's sessions that need a file of their own name and nothing else.
NAMES: Final = (
    "isnet-anime",
    "isnet-general-use",
    "u2net",
    "u2netp",
    "u2net_human_seg",
    "silueta",
    "birefnet-general",
    "birefnet-general-lite",
    "birefnet-portrait",
    "bria-rmbg",
)


def rembg_files(folder: Path | None, *, allow_downloads: bool) -> Iterator[tuple[str, Path]]:
    """Names of the models that can be used, with rembg's folder.

    Without leave to download, those whose file `<name>.onnx` is there.
    """
    if folder is None:
        return
    for name in NAMES:
        if allow_downloads or (folder / f"{name}.onnx").is_file():
            yield name, folder


class RembgModel:
    """One of rembg's models. Opening raises `FailedPreconditionError` REMBG_NOT_INSTALLED."""

    def __init__(self, name: str, folder: Path, *, threads: int, gpu: bool) -> None:
        """Import rembg and open the session; a file that is missing is loaded into `folder`."""
        try:
            # rembg ends the process where onnxruntime is missing.
            runtime: Any = import_module("onnxruntime")
            kinds = import_module("rembg.sessions").sessions_class
        except ImportError as error:
            raise FailedPreconditionError(
                "rembg is not installed: install kuchipaku-imagegen[rembg].",
                reason="REMBG_NOT_INSTALLED",
            ) from error
        kind = next(kind for kind in kinds if kind.name() == name)
        path = folder / f"{name}.onnx"
        # Sessions ask their class for the file and for the folder that fetched ones go to.
        own = {"u2net_home": _always(str(folder))}
        if path.is_file():
            own["download_models"] = _always(str(path))
        kind = type(kind.__name__, (kind,), own)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        providers = ["CPUExecutionProvider"]
        if gpu:
            providers.insert(0, "CUDAExecutionProvider")
        self._session: Any = kind(name, options, providers=providers)

    def mask(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See `MattingModel.mask`."""
        masks = self._session.predict(Image.fromarray(picture))
        return np.asarray(masks[0].convert("L"), np.float32) / 255.0


def _always(value: str) -> Any:
    """A class method that gives `value` whatever it is called with."""

    def method(cls: type, /, *arguments: object, **options: object) -> str:
        return value

    return classmethod(method)


def closed_form_alpha(picture: NDArray[np.uint8], mask: NDArray[np.float32]) -> Any:
    """Closed-form matting (Levin et al. 2008) by pymatting, which comes with rembg.

    picture: (h, w, 3) uint8; mask: (h, w) 0..1. Returns float64 (h, w): the mask itself where it
    is sure of no figure or of no background, which leaves nothing to begin with.
    Raises `FailedPreconditionError` ALPHA_MATTING_NOT_INSTALLED.
    """
    try:
        pymatting = import_module("pymatting")
    except ImportError as error:
        raise FailedPreconditionError(
            "Alpha matting needs pymatting: install kuchipaku-imagegen[rembg].",
            reason="ALPHA_MATTING_NOT_INSTALLED",
            field="alpha_matting",
        ) from error
    trimap = np.full(mask.shape, 0.5)
    trimap[mask > 0.95] = 1.0
    trimap[mask < 0.05] = 0.0
    if not ((trimap == 1.0).any() and (trimap == 0.0).any()):
        return mask.astype(np.float64)
    return pymatting.estimate_alpha_cf(picture.astype(np.float64) / 255.0, trimap)
