"""Finds heads in pictures and judges faces: two small networks, or an OpenCV cascade file."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_imagegen.onnxmodel import OnnxModel, json_property

from .geometry import HeadBox, Similarity, letterbox

Rgb = NDArray[np.uint8]
Floats = NDArray[np.float32]

#: Peaks below this are no heads, if the examiner does not find otherwise.
_PEAK: Final = 0.3
_SAME: Final = 0.3
_CANDIDATES: Final = 6
_ROUNDS: Final = 2
#: What the examiner measures to one side.
_MIRRORED: Final = frozenset({"dx", "angle", "turn"})
#: A head smaller than this share of the picture is looked for in parts of it.
_TILE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Face:
    """A head from close by. Shares are probabilities 0..1.

    `turn` and `nod` are -1..1, where 1 is about 16 degrees.
    """

    box: HeadBox
    eyes_open: float
    mouth_open: float
    brows_visible: float
    turn: float
    nod: float


class HeadFinder(Protocol):
    """Finds heads, the surest first. Blocking."""

    def find(self, picture: Rgb) -> list[HeadBox]:
        """Heads in a picture (h, w, 3) uint8, the surest first."""
        ...


class Heads:
    """Finds heads by one means and looks at them closely by another."""

    def __init__(self, finder: HeadFinder, examiner: Examiner | None) -> None:
        """`examiner` may be None, which leaves faces unjudged."""
        self._finder = finder
        self._examiner = examiner

    def find(self, picture: Rgb) -> list[HeadBox]:
        """Heads in a picture (h, w, 3) uint8, the surest first, confirmed by the examiner."""
        found = self._finder.find(picture)
        if self._examiner is None:
            return found
        refined = [self._examiner.confirmed(picture, head) for head in found]
        sure = sorted((h for h in refined if h.confidence >= 0.5), key=_surest)
        return _distinct(sure)

    def examine(self, picture: Rgb, head: HeadBox) -> Face | None:
        """Judge the face at `head`; None without an examiner."""
        return None if self._examiner is None else self._examiner.face(picture, head)


def _surest(head: HeadBox) -> float:
    # Of two sure heads the larger is whom the picture is about.
    return -head.confidence * math.sqrt(head.side)


def _distinct(heads: list[HeadBox]) -> list[HeadBox]:
    kept: list[HeadBox] = []
    for head in heads:
        if all(head.overlap(other) < _SAME for other in kept):
            kept.append(head)
    return kept


class StarterHeads:
    """The finder network: a map whose peaks are heads (see the model card)."""

    def __init__(self, path: Path, *, threads: int, gpu: bool) -> None:
        """Open the ONNX file; raises as `OnnxModel`."""
        self._model = OnnxModel(path, threads=threads, gpu=gpu)
        meaning = json_property(self._model, "kuchipaku")
        self._side, self._stride = int(meaning["side"]), int(meaning["stride"])

    def find(self, picture: Rgb) -> list[HeadBox]:
        """See `HeadFinder.find`. Looks again at parts where the whole shows none."""
        found = self._look(picture)
        if not found or found[0].confidence < 0.5:
            for part, left, top in _tiles(picture):
                found += [
                    replace(head, x=head.x + left, y=head.y + top) for head in self._look(part)
                ]
        found.sort(key=lambda head: -head.confidence)
        return _distinct(found)[:_CANDIDATES]

    def _look(self, picture: Rgb) -> list[HeadBox]:
        boxed, map_ = letterbox(picture, self._side)
        output = self._model(_tensor(boxed))[0]
        heads = []
        for row, column in _peaks(output[0]):
            heat, dx, dy, log_side, sine, cosine = (float(v) for v in output[:, row, column])
            head = HeadBox(
                x=(column + 0.5 + dx) * self._stride,
                y=(row + 0.5 + dy) * self._stride,
                side=math.exp(min(6.0, log_side)) * self._stride,
                angle=math.atan2(sine, cosine),
                confidence=1.0 / (1.0 + math.exp(-heat)),
            )
            heads.append(map_.head_back(head))
        heads.sort(key=lambda head: -head.confidence)
        return _distinct(heads)


def _tensor(picture: Rgb) -> Floats:
    values = picture.astype(np.float32) / np.float32(255.0)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def _tiles(picture: Rgb) -> list[tuple[Rgb, int, int]]:
    height, width = picture.shape[:2]
    high, wide = max(1, round(height * _TILE)), max(1, round(width * _TILE))
    corners = {(top, left) for top in (0, height - high) for left in (0, width - wide)}
    return [
        (picture[top : top + high, left : left + wide], left, top) for top, left in sorted(corners)
    ]


def _peaks(heat: Floats) -> list[tuple[int, int]]:
    """Cells that are the highest of their neighbours and high enough."""
    padded = np.pad(heat, 1, constant_values=-np.inf)
    around = np.max(
        [padded[i : i + heat.shape[0], j : j + heat.shape[1]] for i in range(3) for j in range(3)],
        axis=0,
    )
    level = math.log(_PEAK / (1 - _PEAK))
    rows, columns = np.nonzero((heat >= around) & (heat > level))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True)]


class Examiner:
    """The examiner network: one upright crop -> verdicts, and what the box should rather be."""

    def __init__(self, path: Path, *, threads: int, gpu: bool) -> None:
        """Open the ONNX file; raises as `OnnxModel`."""
        self._model = OnnxModel(path, threads=threads, gpu=gpu)
        meaning = json_property(self._model, "kuchipaku")
        self._side, self._view = int(meaning["side"]), float(meaning["view"])
        self._names = {name: index for index, name in enumerate(meaning["outputs"])}

    def confirmed(self, picture: Rgb, head: HeadBox) -> HeadBox:
        """The same head, its box corrected, with the examiner's confidence."""
        for _ in range(_ROUNDS):
            head = self._corrected(head, self._run(picture, head))
            if head.confidence < 0.2:
                break
        return head

    def face(self, picture: Rgb, head: HeadBox) -> Face:
        """Judge the face at `head`, whose box is taken as it is."""
        values = self._run(picture, head)
        return Face(
            box=replace(head, confidence=_chance(values["head"])),
            eyes_open=_chance(values["eyes_open"]),
            mouth_open=_chance(values["mouth_open"]),
            brows_visible=_chance(values["brows_visible"]),
            turn=values["turn"],
            nod=values["nod"],
        )

    def _run(self, picture: Rgb, head: HeadBox) -> dict[str, float]:
        middle = self._side / 2
        wanted = HeadBox(middle, middle, self._side / self._view)
        crop = Similarity.between(head, wanted).picture(
            picture, (self._side, self._side), (128, 128, 128)
        )
        values = self._read(crop)
        # A mirrored face is as good a face: where the two answers differ the truth lies between.
        mirrored = self._read(crop[:, ::-1])
        return {
            name: (value + (-mirrored[name] if name in _MIRRORED else mirrored[name])) / 2
            for name, value in values.items()
        }

    def _read(self, crop: Rgb) -> dict[str, float]:
        output = self._model(_tensor(crop))[0]
        return {name: float(output[index]) for name, index in self._names.items()}

    def _corrected(self, head: HeadBox, values: dict[str, float]) -> HeadBox:
        cos, sin = math.cos(head.angle), math.sin(head.angle)
        dx, dy = values["dx"] * head.side, values["dy"] * head.side
        return HeadBox(
            x=head.x + cos * dx - sin * dy,
            y=head.y + sin * dx + cos * dy,
            side=head.side * math.exp(float(np.clip(values["log_side"], -0.7, 0.7))),
            angle=head.angle + float(np.clip(values["angle"], -0.8, 0.8)),
            confidence=_chance(values["head"]),
        )


def _chance(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))


class CascadeFinder:
    """An OpenCV cascade of faces, such as lbpcascade_animeface
    (https://github.com/nagadomi/lbpcascade_animeface): eyes to chin, upright faces only.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises `FailedPreconditionError`: OPENCV_NOT_INSTALLED, MODEL_FILE_MISSING,
        MODEL_FILE_DAMAGED.
        """
        if not path.is_file():
            raise FailedPreconditionError(
                f"The cascade file {path.name} is not there.", reason="MODEL_FILE_MISSING"
            )
        try:
            cv2: Any = import_module("cv2")
        except ImportError as error:
            raise FailedPreconditionError(
                "A cascade file needs OpenCV: install kuchipaku-imagegen[cascade].",
                reason="OPENCV_NOT_INSTALLED",
            ) from error
        self._cv2 = cv2
        self._cascade: Any = cv2.CascadeClassifier(str(path))
        if self._cascade.empty():
            raise FailedPreconditionError(
                f"{path.name} is no cascade.", reason="MODEL_FILE_DAMAGED"
            )

    def find(self, picture: Rgb) -> list[HeadBox]:
        """See `HeadFinder.find`."""
        grey = self._cv2.equalizeHist(self._cv2.cvtColor(picture, self._cv2.COLOR_RGB2GRAY))
        least = max(24, min(picture.shape[:2]) // 16)
        faces = self._cascade.detectMultiScale(grey, 1.1, 5, minSize=(least, least))
        # The cascade's square spans the face; the head with its hair is a third larger.
        return [
            HeadBox(float(x + w / 2), float(y + 0.36 * h), float(1.35 * w), 0.0, 0.9)
            for x, y, w, h in sorted(faces, key=lambda face: -face[2])
        ]


def open_heads(
    folder: Path, *, cascade: Path | None = None, threads: int = 1, gpu: bool = False
) -> Heads | None:
    """The finder and the examiner of `folder`, or the cascade in the finder's place.

    None where there is neither. Raises as opening them does.
    """
    finder_path, examiner_path = folder / "finder.onnx", folder / "examiner.onnx"
    finder: HeadFinder
    if cascade is not None:
        finder = CascadeFinder(cascade)
    elif finder_path.is_file():
        finder = StarterHeads(finder_path, threads=threads, gpu=gpu)
    else:
        return None
    examiner = None
    if examiner_path.is_file():
        examiner = Examiner(examiner_path, threads=threads, gpu=gpu)
    return Heads(finder, examiner)
