"""Data sets of posed illustrated characters: uint8 arrays on disk, rendered in worker processes.

A folder holds, for n characters with k facial and r turned pictures each (all premultiplied RGBA):

- `neutral.npy` (n, 512, 512, 4): the neutral canvas, and `neutral_half.npy` (n, 256, 256, 4);
- `bare.npy` (n, 256, 256, 4): the face window of the neutral canvas without eyes, brows and mouth;
- `face.npy` (n, k, 256, 256, 4): the face window of the k facial poses, head straight, and
  `face_half.npy` (n, k, 128, 128, 4);
- `turned_half.npy` (n, r, 256, 256, 4): picture j shows facial pose j and head pose j;
- `turned.npy` (n, r, 512, 512, 4): the same at full size, in held-out sets alone;
- `face_pose.npy` (n, k, 39), `head_pose.npy` (n, r, 6), their kinds, and `done.npy` (n,).

Rendering resumes: characters marked in `done.npy` are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_imagegen.illustrator import Character, Style, random_attributes, random_style
from kuchipaku_training import drawn
from kuchipaku_training.pose import sampling
from kuchipaku_training.pose.layout import (
    CANVAS_SIZE,
    FACE_POSE,
    FACE_POSE_SIZE,
    HALF_SIZE,
    HEAD_POSE,
    HEAD_POSE_SIZE,
    POSE_SIZE,
    WINDOW_COLUMNS,
    WINDOW_ROWS,
    WINDOW_SIZE,
)
from kuchipaku_training.pose.pixels import halve, premultiply

_KIND_DTYPE = "U16"
_STYLE_STREAM = 1


@dataclass(frozen=True)
class DataSpec:
    """What a data set holds; two sets of the same spec and drawing code are equal.

    styled: share of the characters that hands other than the illustrator's own draw, 0..1.
    """

    first_seed: int
    characters: int
    faces: int = 8
    turns: int = 5
    full_size: bool = False
    styled: float = 0.0

    def __post_init__(self) -> None:
        few = self.characters < 1 or not 1 <= self.turns <= self.faces
        if few or not 0.0 <= self.styled <= 1.0:
            raise InvalidArgumentError(
                "a data set needs characters, no more turned than facial poses, and a share "
                "of styles from 0 to 1",
                reason="DATA_SPEC_INVALID",
                field="data",
            )

    def arrays(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Return name -> (shape, dtype) of the arrays of this set."""
        n, k, r = self.characters, self.faces, self.turns
        canvas, half = (CANVAS_SIZE, CANVAS_SIZE, 4), (HALF_SIZE, HALF_SIZE, 4)
        arrays: dict[str, tuple[tuple[int, ...], str]] = {
            "neutral": ((n, *canvas), "u1"),
            "neutral_half": ((n, *half), "u1"),
            "bare": ((n, WINDOW_SIZE, WINDOW_SIZE, 4), "u1"),
            "face": ((n, k, WINDOW_SIZE, WINDOW_SIZE, 4), "u1"),
            "face_half": ((n, k, WINDOW_SIZE // 2, WINDOW_SIZE // 2, 4), "u1"),
            "turned_half": ((n, r, *half), "u1"),
            "face_pose": ((n, k, FACE_POSE_SIZE), "f4"),
            "head_pose": ((n, r, HEAD_POSE_SIZE), "f4"),
            "face_kind": ((n, k), _KIND_DTYPE),
            "head_kind": ((n, r), _KIND_DTYPE),
            "done": ((n,), "?"),
        }
        if self.full_size:
            arrays["turned"] = ((n, r, *canvas), "u1")
        return arrays


@dataclass(frozen=True)
class PoseData:
    """An opened data set; arrays are memory-mapped, `ready` are the rendered characters."""

    spec: DataSpec
    arrays: dict[str, NDArray[np.generic]]
    ready: NDArray[np.int64]

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        return self.arrays[name]


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"


def open_data(folder: Path) -> PoseData:
    """Open a rendered data set for reading.

    Raises FailedPreconditionError if the folder holds none, if another version drew it, or if no
    character is finished.
    """
    spec = drawn.open_spec(folder, DataSpec)
    arrays = {name: np.load(_path(folder, name), mmap_mode="r") for name in spec.arrays()}
    ready = np.flatnonzero(arrays["done"])
    if not len(ready):
        raise FailedPreconditionError(
            f"the data set in {folder} has no finished character",
            reason="DATA_MISSING",
            field="data",
        )
    return PoseData(spec, arrays, ready)


def draw_character(seed: int, styled: float) -> Character:
    """Return the character of `seed`, by another hand in a share `styled` of the seeds."""
    other = np.random.default_rng((seed, _STYLE_STREAM)).random() < styled
    return Character(random_attributes(seed), random_style(seed) if other else Style())


def render_character(folder: Path, spec: DataSpec, index: int) -> int:
    """Draw every picture of one character into the arrays of `folder`. Returns `index`."""
    arrays = {name: np.load(_path(folder, name), mmap_mode="r+") for name in spec.arrays()}
    seed = spec.first_seed + index
    rng = np.random.default_rng(seed)
    character = draw_character(seed, spec.styled)
    neutral = premultiply(character.render(np.zeros(POSE_SIZE, np.float32)))
    arrays["neutral"][index] = neutral
    arrays["neutral_half"][index] = halve(neutral)
    bare = character.render(bare=True)[WINDOW_ROWS, WINDOW_COLUMNS]
    arrays["bare"][index] = premultiply(bare)
    for j in range(spec.faces):
        pose = np.zeros(POSE_SIZE, np.float32)
        arrays["face_kind"][index, j], pose[FACE_POSE] = sampling.sample_face(rng)
        arrays["face_pose"][index, j] = pose[FACE_POSE]
        window = premultiply(character.render(pose)[WINDOW_ROWS, WINDOW_COLUMNS])
        arrays["face"][index, j] = window
        arrays["face_half"][index, j] = halve(window)
        if j >= spec.turns:
            continue
        arrays["head_kind"][index, j], pose[HEAD_POSE] = sampling.sample_head(rng)
        arrays["head_pose"][index, j] = pose[HEAD_POSE]
        turned = premultiply(character.render(pose))
        arrays["turned_half"][index, j] = halve(turned)
        if spec.full_size:
            arrays["turned"][index, j] = turned
    return index


def render(folder: Path, spec: DataSpec, workers: int) -> Iterator[int]:
    """Render what is missing of a data set, yielding the index of each finished character.

    Raises FailedPreconditionError if the folder holds a set of another spec.
    """
    drawn.create(folder, spec)
    done = np.load(_path(folder, "done"), mmap_mode="r+")
    missing = [int(index) for index in np.flatnonzero(~done)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(render_character, folder, spec, index) for index in missing]
        for job in as_completed(jobs):
            index = job.result()
            done[index] = True
            done.flush()
            yield index
