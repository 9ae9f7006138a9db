"""Illustrated characters for training: posed, redrawn in other line styles, brows covered or not,
each with what is to be seen of it.

What the illustrator draws is left as it is; line weights and covers are changed in its SVG.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

from kuchipaku_animation.poses import PARAMETER_INDEX, POSE_SIZE
from kuchipaku_imagegen.illustrator import Attributes, Character, random_attributes
from kuchipaku_imagegen.illustrator.build import Build
from kuchipaku_imagegen.illustrator.look import tones_of
from kuchipaku_imagegen.illustrator.palette import CLOTH_COLOURS, Colour, css, mix, outline
from kuchipaku_imagegen.illustrator.pose import Pose
from kuchipaku_imagegen.illustrator.rig import Rig, Space, placement
from kuchipaku_training.pose import sampling

CANVAS_SIZE: Final = 512
#: Columns of the label rows.
LABELS: Final = ("eyes_open", "mouth_open", "brows_visible", "turn", "nod")
#: Head box without deviation: side in canvas pixels.
_HEAD_SIDE: Final = 128.0
_STROKE = re.compile(r'stroke-width="([0-9.]+)"')

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """One drawn character.

    `picture`: (512, 512, 4) uint8, straight alpha. `head`: centre x, y and side of the head box in
    canvas pixels, and its angle in radians, clockwise. `labels`: see `LABELS`: 0..1 for eyes,
    mouth and brows; -1..1 of the largest turn and nod of the illustrator.
    """

    picture: Pixels
    head: NDArray[np.float32]
    labels: NDArray[np.float32]


def draw_figure(seed: int, variant: int) -> Figure:
    """Draw one variant of the character of `seed`; equal arguments draw equal pictures."""
    rng = np.random.default_rng((seed, variant))
    attributes = random_attributes(seed)
    pose = _draw_pose(rng)
    svg = _restyled(Character(attributes).svg(pose), rng)
    face = _Face(attributes, pose)
    kind = str(rng.choice(list(_COVERS), p=[share for share, _, _ in _COVERS.values()]))
    _, draw, visible = _COVERS[kind]
    svg = svg.replace("</g></svg>", draw(face, rng) + "</g></svg>")
    png = resvg_py.svg_to_bytes(
        svg_string=svg, width=CANVAS_SIZE, height=CANVAS_SIZE, skip_system_fonts=True
    )
    with Image.open(io.BytesIO(png)) as image:
        picture = np.array(image.convert("RGBA"), np.uint8)
    labels = np.array([_eyes_open(pose), _mouth_open(pose), visible, *_turn(pose)], np.float32)
    return Figure(picture, face.head_box(), labels)


def _draw_pose(rng: np.random.Generator) -> NDArray[np.float32]:
    """A pose as pictures show them: mostly to the front and awake, but not always."""
    pose = np.zeros(POSE_SIZE, np.float32)
    if rng.random() < 0.8:
        pose[:39] = sampling.sample_face(rng)[1]
    _set_eyes(pose, rng)
    _set_mouth(pose, rng)
    reach = float(rng.choice([0.15, 0.4, 1.0], p=[0.4, 0.2, 0.4]))
    pose[39:44] = rng.uniform(-reach, reach, 5)
    if reach == 1.0:
        # A turned head is what most of these are to show.
        pose[PARAMETER_INDEX["head_y"]] = rng.choice([-1, 1]) * rng.uniform(0.6, 1.0)
    return pose


_LIDS: Final = ("wink", "happy_wink", "relaxed", "unimpressed")


def _set_eyes(pose: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Open or shut: lids half way down belong to neither and would teach a line between them."""
    for name in _LIDS:
        for side in ("left", "right"):
            index = PARAMETER_INDEX[f"eye_{name}_{side}"]
            pose[index] *= 0.3
    if rng.random() < 0.35:
        name = str(rng.choice(["wink", "happy_wink"], p=[0.7, 0.3]))
        for side in ("left", "right"):
            for lid in _LIDS:
                pose[PARAMETER_INDEX[f"eye_{lid}_{side}"]] = 0.0
            pose[PARAMETER_INDEX[f"eye_surprised_{side}"]] = 0.0
            pose[PARAMETER_INDEX[f"eye_{name}_{side}"]] = rng.uniform(0.9, 1.0)


def _set_mouth(pose: NDArray[np.float32], rng: np.random.Generator) -> None:
    for name in sampling.VOWELS:
        pose[PARAMETER_INDEX[name]] = 0.0
    if rng.random() < 0.5:
        pose[PARAMETER_INDEX[str(rng.choice(sampling.VOWELS))]] = rng.uniform(0.25, 1.0)


def _eyes_open(pose: NDArray[np.float32]) -> float:
    shut = [
        max(pose[PARAMETER_INDEX[f"eye_{name}_{side}"]] for name in ("wink", "happy_wink"))
        for side in ("left", "right")
    ]
    return float(1.0 - max(shut))


def _mouth_open(pose: NDArray[np.float32]) -> float:
    # How wide these vowels are drawn, against the widest.
    widths = {"aaa": 1.0, "iii": 0.55, "uuu": 0.5, "eee": 0.75, "ooo": 0.85, "delta": 0.75}
    return float(sum(pose[PARAMETER_INDEX[f"mouth_{name}"]] * w for name, w in widths.items()))


def _turn(pose: NDArray[np.float32]) -> tuple[float, float]:
    return float(pose[PARAMETER_INDEX["head_y"]]), float(pose[PARAMETER_INDEX["head_x"]])


def _restyled(svg: str, rng: np.random.Generator) -> str:
    """Redraw with other line weights; sometimes without lines."""
    factor = float(rng.choice([1.0, rng.uniform(0.4, 1.0), rng.uniform(1.0, 2.2), 0.0]))
    if factor == 1.0:
        return svg
    return _STROKE.sub(lambda m: f'stroke-width="{float(m[1]) * factor:.2f}"', svg)


class _Face:
    """Places points of the drawing's head, so that a cover turns along."""

    def __init__(self, attributes: Attributes, pose: NDArray[np.float32]) -> None:
        self.attributes = attributes
        self._rig = Rig(Pose(pose))
        self._build = Build(attributes)

    def place(self, points: Floats, space: Space = Space.HAIR, depth: float = 3.0) -> Floats:
        """Canvas coordinates (n, 2) of head coordinates (n, 2)."""
        z, weight = placement(points, space, depth)
        return self._rig.place(self._build.shaped(points, space, weight), z, weight)

    def head_box(self) -> NDArray[np.float32]:
        half = _HEAD_SIDE / 2
        ends = np.array([[0.0, -half], [0.0, half]])
        flat = self._build.shaped(ends, Space.FLAT, np.zeros(2))
        top, bottom = self._rig.place(flat, np.zeros(2), np.zeros(2))
        x, y = (top + bottom) / 2
        angle = math.atan2(top[0] - bottom[0], bottom[1] - top[1])
        side = float(np.linalg.norm(flat[1] - flat[0]))
        return np.array([x, y, side, angle], np.float32)


def _path(points: Floats, paint: Colour, line: Colour | None = None) -> str:
    text = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"
    stroke = f' stroke="{css(line)}" stroke-width="1.3"' if line else ""
    return f'<path d="{text}" fill="{css(paint)}"{stroke}/>'


def _arc(radius_x: float, radius_y: float, y: float, start: float, end: float) -> Floats:
    angles = np.linspace(math.radians(start), math.radians(end), 24)
    return np.stack([radius_x * np.cos(angles), y + radius_y * np.sin(angles)], 1)


def _cloth(rng: np.random.Generator) -> Colour:
    return CLOTH_COLOURS[str(rng.choice(list(CLOTH_COLOURS)))]


def _nothing(face: _Face, rng: np.random.Generator) -> str:
    return ""


def _cap(face: _Face, rng: np.random.Generator, brim: float) -> str:
    """A cap whose dome ends at `brim` (y of the head) and whose visor hangs below it."""
    tone = _cloth(rng)
    dome = np.concatenate([_arc(66, 62, brim, 180, 360), _arc(66, 9, brim, 0, 180)])
    visor = np.concatenate([_arc(60, 6, brim, 180, 0), _arc(60, 17, brim, 0, 180)])
    ink = outline(tone)
    return _path(face.place(dome), tone, ink) + _path(
        face.place(visor, depth=10), mix(tone, (0, 0, 0), 0.2), ink
    )


def _low_cap(face: _Face, rng: np.random.Generator) -> str:
    return _cap(face, rng, float(rng.uniform(-18, -14)))


def _high_cap(face: _Face, rng: np.random.Generator) -> str:
    return _cap(face, rng, float(rng.uniform(-48, -40)))


def _fringe(face: _Face, rng: np.random.Generator) -> str:
    """Strands of the character's hair down to the lashes."""
    tones = tones_of(face.attributes)
    count = int(rng.integers(5, 9))
    edges = np.linspace(-44, 44, count + 1)
    text = ""
    for left, right in pairwise(edges):
        tip = rng.uniform(0.3, 0.7) * (right - left) + left
        low = rng.uniform(0.0, 5.0)
        strand = [(left - 2, -46), (left - 3, -10), (left, -3), (tip, low), (right, -3)]
        strand += [(right + 3, -10), (right + 2, -46)]
        text += _path(face.place(np.array(strand, float)), tones.hair, tones.hair_line)
    return text


def _band(face: _Face, rng: np.random.Generator, low: float, high: float) -> str:
    tone = _cloth(rng)
    upper = np.stack([np.linspace(-58, 58, 20), np.full(20, low)], 1)
    lower = np.stack([np.linspace(58, -58, 20), np.full(20, high)], 1)
    return _path(face.place(np.concatenate([upper, lower])), tone, outline(tone))


def _low_band(face: _Face, rng: np.random.Generator) -> str:
    return _band(face, rng, -26, float(rng.uniform(-3, 0)))


def _high_band(face: _Face, rng: np.random.Generator) -> str:
    return _band(face, rng, -52, float(rng.uniform(-34, -28)))


#: Share, how it is drawn, whether the brows stay visible.
_COVERS: Final[dict[str, tuple[float, Callable[[_Face, np.random.Generator], str], float]]] = {
    "none": (0.6, _nothing, 1.0),
    "high cap": (0.06, _high_cap, 1.0),
    "high band": (0.05, _high_band, 1.0),
    "low cap": (0.12, _low_cap, 0.0),
    "fringe": (0.11, _fringe, 0.0),
    "low band": (0.06, _low_band, 0.0),
}
