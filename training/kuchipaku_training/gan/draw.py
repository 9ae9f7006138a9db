"""Faces by the illustrator, as a folder of pictures that a GAN can learn from."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from kuchipaku_animation.poses import PARAMETER_INDEX, POSE_SIZE
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_imagegen.illustrator import Character, random_attributes
from kuchipaku_training.gan.pictures import FACE_SIZE
from kuchipaku_training.pose import sampling

FIRST_SEED: Final = 500_000
#: Faces of each character, in different poses.
FACES_EACH: Final = 2
#: Window of the illustrator's canvas: left, top and side in pixels; 1.45 head sides.
_WINDOW: Final = (163, 34, 186)
_WHOLE: Final = 'width="512" height="512" viewBox="0 0 512 512"'
_NEUTRAL_SHARE: Final = 0.4
#: How far heads turn and lean, of the illustrator's reach.
_TURN: Final = 0.35
_CHUNK: Final = 16


def draw_faces_of(seed: int) -> list[NDArray[np.uint8]]:
    """`FACES_EACH` faces of the character of `seed`: RGBA (128, 128, 4) uint8, transparent."""
    character = Character(random_attributes(seed))
    return [
        _drawn(character, np.random.default_rng((seed, index, FACE_SIZE)))
        for index in range(FACES_EACH)
    ]


def _drawn(character: Character, rng: np.random.Generator) -> NDArray[np.uint8]:
    pose = np.zeros(POSE_SIZE, np.float32)
    if rng.random() >= _NEUTRAL_SHARE:
        pose[:39] = sampling.sample_face(rng)[1]
    for name in ("head_x", "head_y", "neck_z"):
        pose[PARAMETER_INDEX[name]] = rng.uniform(-_TURN, _TURN)
    left, top, side = _WINDOW
    window = f'width="{FACE_SIZE}" height="{FACE_SIZE}" viewBox="{left} {top} {side} {side}"'
    svg = character.svg(pose)
    if _WHOLE not in svg:
        raise AssertionError("the illustrator's canvas has changed")
    png = resvg_py.svg_to_bytes(
        svg_string=svg.replace(_WHOLE, window, 1),
        width=FACE_SIZE,
        height=FACE_SIZE,
        skip_system_fonts=True,
    )
    with Image.open(io.BytesIO(png)) as picture:
        return np.array(picture.convert("RGBA"), np.uint8)


def _draw_files(folder: Path, seeds: list[int]) -> int:
    for seed in seeds:
        for path, face in zip(_files(folder, seed), draw_faces_of(seed), strict=True):
            partial = path.with_suffix(".part")
            Image.fromarray(face).save(partial, "PNG")
            partial.replace(path)
    return len(seeds) * FACES_EACH


def _files(folder: Path, seed: int) -> list[Path]:
    return [folder / f"{seed}-{index}.png" for index in range(FACES_EACH)]


def draw_faces(folder: Path, count: int, workers: int, first_seed: int) -> Iterator[int]:
    """Draw what is missing of `count` faces into `folder`, yielding how many are there more.

    Equal arguments draw equal pictures; `count` is rounded up to a multiple of `FACES_EACH`.
    Raises InvalidArgumentError if `count` is below 1.
    """
    if count < 1:
        raise InvalidArgumentError(
            "at least one face has to be drawn", reason="COUNT_INVALID", field="count"
        )
    folder.mkdir(parents=True, exist_ok=True)
    characters = range(first_seed, first_seed + -(-count // FACES_EACH))
    missing = [
        seed for seed in characters if not all(path.exists() for path in _files(folder, seed))
    ]
    yield (len(characters) - len(missing)) * FACES_EACH
    chunks = [missing[i : i + _CHUNK] for i in range(0, len(missing), _CHUNK)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for job in as_completed([pool.submit(_draw_files, folder, chunk) for chunk in chunks]):
            yield job.result()
