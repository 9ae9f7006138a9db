"""Held-out figures of the head-box networks, measured as the service runs them."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from kuchipaku_imagegen.framing import Face, HeadBox, Heads, open_heads
from kuchipaku_training.headbox.task import MOUTH_CLOSED, MOUTH_OPEN, place_heads
from kuchipaku_training.matting.compose import Composed, Placement, compose
from kuchipaku_training.matting.dataset import FigureData, open_data
from kuchipaku_training.matting.figures import LABELS

PICTURE_SIZE: Final = 448
IOU_WANTED: Final = 0.85
#: What counts as turned, and as facing the viewer; between, the answer is not judged.
TURNED: Final = 0.7
FRONTAL: Final = 0.3
_TURN_LIMIT: Final = 0.5
_CUT_OFF: Final = 0.1
_SALT: Final = 7_000_000

Rgb = NDArray[np.uint8]


@dataclass
class Tally:
    """How often a verdict was right."""

    right: int = 0
    judged: int = 0

    def add(self, answer: bool, truth: bool) -> None:
        """Count one answer."""
        self.right += int(bool(answer) == bool(truth))
        self.judged += 1

    @property
    def share(self) -> float:
        """Share of right answers; 1 where none was asked for."""
        return self.right / self.judged if self.judged else 1.0


@dataclass
class Figures:
    """IoU of every box, and verdicts by name."""

    overlaps: list[float]
    verdicts: dict[str, Tally]

    def as_dict(self) -> dict[str, object]:
        """Plain JSON types."""
        overlaps = np.array(self.overlaps)
        return {
            "pictures": len(overlaps),
            "iou_mean": round(float(overlaps.mean()), 4),
            "iou_median": round(float(np.median(overlaps)), 4),
            "iou_wanted": IOU_WANTED,
            "iou_reached": round(float((overlaps >= IOU_WANTED).mean()), 4),
            "verdicts": {
                name: {"right": tally.right, "judged": tally.judged, "share": round(tally.share, 4)}
                for name, tally in self.verdicts.items()
            },
        }


def _pixels(one: Composed) -> Rgb:
    values = one.picture.permute(1, 2, 0).numpy()
    return np.asarray(np.rint(values * 255.0), np.uint8)


def _place(rng: np.random.Generator) -> Placement:
    """A character as users' pictures show them: scaled, shifted, turned by up to 10 degrees."""
    size = PICTURE_SIZE
    side = math.exp(rng.uniform(math.log(0.14), math.log(0.5))) * size
    return Placement(
        x=float(rng.uniform(0.55 * side, size - 0.55 * side)),
        y=float(rng.uniform(0.6 * side, max(0.62 * side, 0.6 * size))),
        side=side,
        angle=float(rng.uniform(-1, 1) * math.radians(10)),
        mirrored=bool(rng.random() < 0.5),
    )


def single_pictures(data: FigureData, count: int) -> Iterator[Composed]:
    """Compose `count` pictures of one held-out character each; equal ones in every run."""
    for index in range(count):
        rng = np.random.default_rng((_SALT, index))
        yield compose(data, [_place(rng)], (PICTURE_SIZE, PICTURE_SIZE), rng)


def measure(heads: Heads, data: FigureData, count: int) -> Figures:
    """Measure boxes and verdicts on `count` pictures of one character each, and the verdicts
    about none, two and cut-off heads on a quarter as many each."""
    figures = Figures([], {})
    for one in single_pictures(data, count):
        picture, truth = _pixels(one), one.seen[0]
        found = heads.find(picture)
        expected = HeadBox(*(float(value) for value in truth.head))
        figures.overlaps.append(found[0].overlap(expected) if found else 0.0)
        _tally(figures, "one character", len(found) == 1, True)
        face = heads.examine(picture, found[0]) if found else None
        if face is not None:
            _tally_face(figures, face, dict(zip(LABELS, map(float, truth.labels), strict=True)))
    for name, compose_one, judge in _OTHERS:
        for index in range(max(1, count // 4)):
            rng = np.random.default_rng((_SALT + 1, index))
            one = compose_one(data, rng)
            _tally(figures, name, judge(heads.find(_pixels(one))), True)
    return figures


def _tally(figures: Figures, name: str, answer: bool, truth: bool) -> None:
    figures.verdicts.setdefault(name, Tally()).add(answer, truth)


def _tally_face(figures: Figures, face: Face, truth: dict[str, float]) -> None:
    _tally(figures, "eyes", face.eyes_open > 0.5, truth["eyes_open"] > 0.5)
    if not MOUTH_CLOSED < truth["mouth_open"] < MOUTH_OPEN:
        _tally(figures, "mouth", face.mouth_open > 0.5, truth["mouth_open"] >= MOUTH_OPEN)
    _tally(figures, "brows", face.brows_visible > 0.5, truth["brows_visible"] > 0.5)
    turn = abs(truth["turn"])
    if not FRONTAL < turn < TURNED:
        _tally(figures, "turned", abs(face.turn) > _TURN_LIMIT, turn >= TURNED)


def _none(data: FigureData, rng: np.random.Generator) -> Composed:
    return compose(data, [], (PICTURE_SIZE, PICTURE_SIZE), rng)


def _two(data: FigureData, rng: np.random.Generator) -> Composed:
    while True:
        places = place_heads(PICTURE_SIZE, 2, rng)
        sides = [place.side for place in places]
        if len(places) == 2 and min(sides) > 0.5 * max(sides):
            return compose(data, places, (PICTURE_SIZE, PICTURE_SIZE), rng)


def _cut_off(data: FigureData, rng: np.random.Generator) -> Composed:
    """A head whose upper fifth or more, or a side, lies outside of the picture."""
    size = PICTURE_SIZE
    side = float(rng.uniform(0.2, 0.5)) * size
    place = Placement(x=size / 2, y=side * float(rng.uniform(0.2, 0.32)), side=side)
    if rng.random() < 0.4:
        place = Placement(x=side * float(rng.uniform(0.15, 0.3)), y=size / 2, side=side)
    return compose(data, [place], (size, size), rng)


def _sees_cut_off(found: list[HeadBox]) -> bool:
    if not found:
        return False
    corners = found[0].corners()
    low, high = corners.min(), (corners - PICTURE_SIZE).max()
    return max(-low, high) > _CUT_OFF * found[0].side


_OTHERS: Final[
    tuple[
        tuple[
            str,
            Callable[[FigureData, np.random.Generator], Composed],
            Callable[[list[HeadBox]], bool],
        ],
        ...,
    ]
] = (
    ("none", _none, lambda found: not found),
    ("two characters", _two, lambda found: len(found) == 2),
    ("cut off", _cut_off, _sees_cut_off),
)


def evaluate(work: Path, data: Path, console: Console, pictures: int = 200) -> Figures:
    """Measure the trained networks and write `reports/held_out.json`.

    Raises FailedPreconditionError if a checkpoint or the held-out set is missing.
    """
    from kuchipaku_training.headbox.export import write_networks  # noqa: PLC0415 - needs the card

    train, held = open_data(data / "train"), open_data(data / "held")
    with tempfile.TemporaryDirectory() as name:
        write_networks(work, train, held, Path(name))
        heads = open_heads(Path(name))
        if heads is None:
            raise AssertionError("networks were just written")
        figures = measure(heads, held, pictures)
    reports = work / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    report = {**figures.as_dict(), "characters": held.spec.characters}
    (reports / "held_out.json").write_text(json.dumps(report, indent=2), "utf-8")
    console.print(figure_table(figures))
    return figures


def figure_table(figures: Figures) -> Table:
    """The figures for people."""
    table = Table("figure", "value", "of")
    reached = figures.as_dict()["iou_reached"]
    table.add_row(f"head box IoU >= {IOU_WANTED}", f"{reached:.3f}", str(len(figures.overlaps)))
    for name, tally in figures.verdicts.items():
        table.add_row(f"verdict: {name}", f"{tally.share:.3f}", str(tally.judged))
    return table
