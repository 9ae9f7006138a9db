"""The drawn data of the matting and head-box networks: uint8 arrays, rendered in processes.

A folder holds, for n characters in v variants and s scenes:

- `figures.npy` (n * v, 512, 512, 4): premultiplied RGBA;
- `heads.npy` (n * v, 4) and `labels.npy` (n * v, 5): see `kuchipaku_training.matting.figures`;
- `scenes.npy` (s, 384, 384, 3): backgrounds;
- `done.npy` (n * v + s,).

Rendering resumes: what `done.npy` marks is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_training import drawn
from kuchipaku_training.matting.figures import CANVAS_SIZE, LABELS, draw_figure
from kuchipaku_training.matting.scenes import SCENE_SIZE, draw_scene
from kuchipaku_training.pose.pixels import premultiply

_CHUNK = 8


@dataclass(frozen=True)
class DataSpec:
    """What a data set holds; two sets of the same spec and drawing code are equal."""

    first_seed: int
    characters: int
    variants: int
    scenes: int

    def __post_init__(self) -> None:
        if min(self.characters, self.variants, self.scenes) < 1:
            raise InvalidArgumentError(
                "a data set needs characters, variants and scenes",
                reason="DATA_SPEC_INVALID",
                field="data",
            )

    @property
    def figures(self) -> int:
        """How many figures there are."""
        return self.characters * self.variants

    def arrays(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Return name -> (shape, dtype) of the arrays of this set."""
        n = self.figures
        return {
            "figures": ((n, CANVAS_SIZE, CANVAS_SIZE, 4), "u1"),
            "heads": ((n, 4), "f4"),
            "labels": ((n, len(LABELS)), "f4"),
            "scenes": ((self.scenes, SCENE_SIZE, SCENE_SIZE, 3), "u1"),
            "done": ((n + self.scenes,), "?"),
        }


@dataclass(frozen=True)
class FigureData:
    """An opened data set, memory-mapped; `figures` and `scenes` are the finished indices."""

    spec: DataSpec
    arrays: dict[str, NDArray[np.generic]]
    figures: NDArray[np.int64]
    scenes: NDArray[np.int64]
    _reduced: dict[tuple[int, int], NDArray[np.uint8]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        return self.arrays[name]

    def figure(self, index: int, level: int = 1) -> NDArray[np.uint8]:
        """One premultiplied figure (4, s, s), its side 512 / ``level``, a power of two.

        Reduced ones are kept, a third of the drawn figures' size in all: reducing one costs more
        than everything else that is done to it.
        """
        if level == 1:
            return np.array(self.arrays["figures"][index], np.uint8).transpose(2, 0, 1)
        kept = self._reduced.get((index, level))
        if kept is None:
            finer = self.figure(index, level // 2).astype(np.uint16)
            quads = finer.reshape(4, finer.shape[1] // 2, 2, finer.shape[2] // 2, 2)
            kept = ((quads.sum((2, 4), dtype=np.uint16) + 2) // 4).astype(np.uint8)
            self._reduced[index, level] = kept
        return kept


def open_data(folder: Path) -> FigureData:
    """Open a rendered data set for reading.

    Raises FailedPreconditionError if the folder holds none, if another version drew it, or if no
    figure or scene is finished.
    """
    spec = drawn.open_spec(folder, DataSpec)
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in spec.arrays()}
    figures = np.flatnonzero(arrays["done"][: spec.figures])
    scenes = np.flatnonzero(arrays["done"][spec.figures :])
    if not len(figures) or not len(scenes):
        raise FailedPreconditionError(
            f"the data set in {folder} is not drawn yet", reason="DATA_MISSING", field="data"
        )
    return FigureData(spec, arrays, figures, scenes)


def render_items(folder: Path, spec: DataSpec, items: list[int]) -> list[int]:
    """Draw figures (items below `spec.figures`) and scenes (the others). Returns `items`."""
    arrays = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r+")
        for name in ("figures", "heads", "labels", "scenes")
    }
    for item in items:
        if item >= spec.figures:
            index = item - spec.figures
            arrays["scenes"][index] = draw_scene(spec.first_seed + index)
            continue
        character, variant = divmod(item, spec.variants)
        figure = draw_figure(spec.first_seed + character, variant)
        arrays["figures"][item] = premultiply(figure.picture)
        arrays["heads"][item] = figure.head
        arrays["labels"][item] = figure.labels
    return items


def render(folder: Path, spec: DataSpec, workers: int) -> Iterator[int]:
    """Render what is missing of a data set, yielding how many items were just finished.

    Raises FailedPreconditionError if the folder holds a set of another spec.
    """
    return drawn.render(folder, spec, render_items, workers=workers, at_once=_CHUNK)
