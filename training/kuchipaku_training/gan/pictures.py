"""A folder of pictures -> square crops of faces, 128 x 128 RGB, in one array."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kuchipaku_contract.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
)
from kuchipaku_imagegen.framing import HeadBox, Heads, Similarity, open_heads
from kuchipaku_media.picture import decode_picture

FACE_SIZE: Final = 128
CROPS: Final = ("auto", "alpha", "heads", "centre")
_SUFFIXES: Final = frozenset((".png", ".webp", ".jpg", ".jpeg"))
_VISIBLE: Final = 16
#: Of every 20 neighbours in the order of names, the last two are held out.
_GROUP: Final = 20
_HELD_OF_GROUP: Final = 2
_LEAST: Final = 40

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Cropping:
    """How faces are cut from pictures.

    crop: `alpha`: the square around what is opaque; `heads`: a square of `view` head sides around
    the surest head that the detector finds, turned upright; `centre`: the largest square in the
    middle; `auto`: pictures of 128 x 128 as they are, others with transparency by alpha, others by
    the detector. cascade: an OpenCV cascade file in place of the detector's network. backdrop:
    what lies behind transparent pictures.
    """

    crop: str = "auto"
    view: float = 1.45
    detector: str = ""
    cascade: str = ""
    backdrop: tuple[int, int, int] = (255, 255, 255)

    def __post_init__(self) -> None:
        if self.crop not in CROPS:
            raise InvalidArgumentError(
                f"the crop is one of {', '.join(CROPS)}", reason="CROP_UNKNOWN", field="crop"
            )
        if not 0.5 <= self.view <= 4.0:
            raise InvalidArgumentError(
                "a crop shows 0.5 to 4 head sides", reason="VIEW_OUT_OF_RANGE", field="view"
            )


@dataclass(frozen=True)
class Faces:
    """Prepared faces (n, 128, 128, 3) uint8: those to learn from, and those held out."""

    train: Pixels
    held: Pixels


@dataclass(frozen=True)
class Prepared:
    """What became of one file; `problem` is empty if its face was taken."""

    file: str
    problem: str


class Cropper:
    """Cuts faces from pictures; the detector is opened when the first picture needs it."""

    def __init__(self, cropping: Cropping) -> None:
        self._cropping = cropping
        self._heads: Heads | None = None

    def face(self, picture: Pixels) -> Pixels | None:
        """The face (128, 128, 3) of a picture (h, w, 4); None if none is found."""
        height, width = picture.shape[:2]
        crop = self._cropping.crop
        if crop == "auto":
            crop = _fitting_crop(picture)
        if crop == "heads":
            return self._by_head(self._flat(picture))
        if crop == "alpha":
            box = _opaque_square(picture)
            if box is None:
                return None
        else:
            side = min(width, height)
            box = HeadBox(width / 2, height / 2, side)
        wanted = HeadBox(FACE_SIZE / 2, FACE_SIZE / 2, FACE_SIZE)
        size = (FACE_SIZE, FACE_SIZE)
        if (height, width) == size and crop == "centre":
            return self._flat(picture)
        return self._flat(Similarity.between(box, wanted).picture(picture, size))

    def _by_head(self, picture: Pixels) -> Pixels | None:
        found = self._opened().find(picture)
        if not found:
            return None
        middle = FACE_SIZE / 2
        wanted = HeadBox(middle, middle, FACE_SIZE / self._cropping.view)
        map_ = Similarity.between(found[0], wanted)
        return map_.picture(picture, (FACE_SIZE, FACE_SIZE), self._cropping.backdrop)

    def _flat(self, picture: Pixels) -> Pixels:
        alpha = picture[..., 3:].astype(np.float32) / 255.0
        backdrop = np.array(self._cropping.backdrop, np.float32)
        return np.rint(picture[..., :3] * alpha + backdrop * (1.0 - alpha)).astype(np.uint8)

    def _opened(self) -> Heads:
        if self._heads is None:
            cascade = Path(self._cropping.cascade) if self._cropping.cascade else None
            self._heads = open_heads(Path(self._cropping.detector), cascade=cascade)
        if self._heads is None:
            raise FailedPreconditionError(
                f"there is no head detector in {self._cropping.detector or '.'}; name its folder, "
                "or a cascade file, or crop otherwise",
                reason="DETECTOR_MISSING",
                field="detector",
            )
        return self._heads


def _fitting_crop(picture: Pixels) -> str:
    if picture.shape[:2] == (FACE_SIZE, FACE_SIZE):
        return "centre"
    return "alpha" if int(picture[..., 3].min()) < _VISIBLE else "heads"


def _opaque_square(picture: Pixels) -> HeadBox | None:
    seen = picture[..., 3] >= _VISIBLE
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    if not rows.size:
        return None
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = max(bottom - top, right - left)
    return HeadBox((left + right) / 2, (top + bottom) / 2, float(side))


def picture_files(folder: Path) -> list[Path]:
    """The pictures in a folder and its folders, in the order of their names."""
    return sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file()
    )


def prepare(faces: Path, data: Path, cropping: Cropping) -> Iterator[Prepared]:
    """Crop the pictures of `faces` into the folder `data`, yielding what became of each.

    Raises FailedPreconditionError if fewer than 40 faces are found, or if the crop needs a
    detector that is not there.
    """
    cropper = Cropper(cropping)
    taken: list[Pixels] = []
    names: list[str] = []
    for path in picture_files(faces):
        name = path.relative_to(faces).as_posix()
        try:
            face = cropper.face(decode_picture(path.read_bytes()))
        except InvalidArgumentError as error:
            yield Prepared(name, error.message)
            continue
        if face is None:
            yield Prepared(name, "no face found")
            continue
        taken.append(face)
        names.append(name)
        yield Prepared(name, "")
    if len(taken) < _LEAST:
        raise FailedPreconditionError(
            f"{faces} holds {len(taken)} usable faces; at least {_LEAST} are needed",
            reason="TOO_FEW_FACES",
            field="faces",
        )
    data.mkdir(parents=True, exist_ok=True)
    spec = {"faces": str(faces), "count": len(taken), **asdict(cropping)}
    (data / "spec.json").write_text(json.dumps(spec, indent=2), "utf-8")
    (data / "names.txt").write_text("\n".join(names) + "\n", "utf-8")
    # Last and in one move: who finds the array finds all of it.
    partial = data / "faces.part.npy"
    np.save(partial, np.stack(taken))
    partial.replace(data / "faces.npy")


def open_faces(data: Path) -> Faces:
    """Open prepared faces. Raises FailedPreconditionError if there are none."""
    path = data / "faces.npy"
    if not path.exists():
        raise FailedPreconditionError(
            f"no faces in {data}; prepare them first", reason="DATA_MISSING", field="work"
        )
    faces = np.load(path, mmap_mode="r")
    held = np.arange(len(faces)) % _GROUP >= _GROUP - _HELD_OF_GROUP
    return Faces(np.asarray(faces[~held]), np.asarray(faces[held]))


def tiled(pictures: Pixels, columns: int) -> Pixels:
    """A sheet of pictures (n, h, w, 3), row by row; missing ones are white."""
    blank = np.full((-len(pictures) % columns, *pictures.shape[1:]), 255, np.uint8)
    whole = np.concatenate([pictures, blank])
    count, height, width, channels = whole.shape
    rows = whole.reshape(count // columns, columns, height, width, channels)
    return rows.transpose(0, 2, 1, 3, 4).reshape(-1, columns * width, channels)


def save_sheet(pictures: Pixels, columns: int, path: Path) -> None:
    """Write a sheet of pictures as PNG or JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(tiled(pictures, columns)).save(path, quality=90)
