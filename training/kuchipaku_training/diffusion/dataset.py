"""The drawn busts: uint8 arrays on disk, rendered in worker processes.

A folder holds `pictures.npy` (n, 256, 256, 4), premultiplied RGBA, and `done.npy` (n,). What a
picture shows is `subject(first_seed + index)`. Rendering resumes: finished pictures are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_imagegen.illustrator import Attributes
from kuchipaku_training import drawn
from kuchipaku_training.diffusion.subjects import SIZE, draw_bust, subject
from kuchipaku_training.pose.pixels import premultiply

TRAIN_SEED: Final = 1_000_000
HELD_SEED: Final = 1_500_000
#: What busts stand on, sRGB: not the colour of any hair, skin or cloth.
BACKGROUND: Final = (196, 212, 220)
_CHUNK: Final = 8


@dataclass(frozen=True)
class DataSpec:
    """What a data set holds; two sets of the same spec and drawing code are equal."""

    first_seed: int
    characters: int

    def __post_init__(self) -> None:
        if self.characters < 1:
            raise InvalidArgumentError(
                "a data set needs characters", reason="DATA_SPEC_INVALID", field="data"
            )

    def arrays(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Return name -> (shape, dtype) of the arrays of this set."""
        n = self.characters
        return {"pictures": ((n, SIZE, SIZE, 4), "u1"), "done": ((n,), "?")}


@dataclass(frozen=True)
class BustData:
    """An opened data set, memory-mapped; `ready` are the indices of the finished pictures."""

    spec: DataSpec
    pictures: NDArray[np.uint8]
    ready: NDArray[np.int64]

    def attributes(self, index: int) -> Attributes:
        """What picture `index` shows."""
        return subject(self.spec.first_seed + index)

    def colours(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The pictures (k, 256, 256, 3) of `indices` on the plain background."""
        return on_background(self.pictures[indices])


def on_background(premultiplied: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB (..., 3) of premultiplied RGBA (..., 4) over `BACKGROUND`."""
    rest = 255 - premultiplied[..., 3:].astype(np.uint16)
    ground = (np.array(BACKGROUND, np.uint16) * rest + 127) // 255
    return np.minimum(premultiplied[..., :3] + ground, 255).astype(np.uint8)


def open_data(folder: Path) -> BustData:
    """Open a rendered data set for reading.

    Raises FailedPreconditionError if the folder holds none, if another version drew it, or if no
    picture is finished.
    """
    spec = drawn.open_spec(folder, DataSpec)
    ready = np.flatnonzero(np.load(folder / "done.npy"))
    if not len(ready):
        raise FailedPreconditionError(
            f"the data set in {folder} is not drawn yet", reason="DATA_MISSING", field="data"
        )
    return BustData(spec, np.load(folder / "pictures.npy", mmap_mode="r"), ready)


def render_items(folder: Path, spec: DataSpec, items: list[int]) -> list[int]:
    """Draw some pictures into the arrays of `folder`. Returns `items`."""
    pictures = np.load(folder / "pictures.npy", mmap_mode="r+")
    for item in items:
        pictures[item] = premultiply(draw_bust(subject(spec.first_seed + item)))
    return items


def render(folder: Path, spec: DataSpec, workers: int) -> Iterator[int]:
    """Render what is missing of a data set, yielding how many pictures were just finished.

    Raises FailedPreconditionError if the folder holds a set of another spec.
    """
    return drawn.render(folder, spec, render_items, workers=workers, at_once=_CHUNK)
