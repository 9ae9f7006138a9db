"""Backgrounds for training: plain, gradients, noise, textures, and illustrated rooms and views."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import resvg_py
from numpy.typing import NDArray
from PIL import Image

SCENE_SIZE: Final = 384

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Rng = np.random.Generator


def draw_scene(seed: int) -> Pixels:
    """Draw a background (384, 384, 3) uint8; the same seed gives the same one."""
    rng = np.random.default_rng((seed, 77))
    kind = SCENE_KINDS[int(rng.choice(len(SCENE_KINDS), p=_SHARES))]
    return _SCENES[kind][1](rng)


def _colours(rng: Rng, count: int) -> Floats:
    """A palette (count, 3) in 0..1: some scenes are pale, some dark, some loud."""
    centre = rng.uniform(0.1, 0.95, 3)
    spread = rng.choice([0.08, 0.25, 0.6])
    return np.clip(centre + rng.uniform(-spread, spread, (count, 3)), 0, 1)


def _pixels(values: Floats) -> Pixels:
    return np.asarray(np.rint(np.clip(values, 0, 1) * 255), np.uint8)


def _grid() -> tuple[Floats, Floats]:
    line = np.linspace(0, 1, SCENE_SIZE)
    y, x = np.meshgrid(line, line, indexing="ij")
    return x, y


def _plain(rng: Rng) -> Pixels:
    colour = rng.choice([0.0, 0.5, 0.95, 1.0]) * np.ones(3)
    if rng.random() < 0.7:
        colour = _colours(rng, 1)[0]
    return _pixels(np.broadcast_to(colour, (SCENE_SIZE, SCENE_SIZE, 3)))


def _gradient(rng: Rng) -> Pixels:
    x, y = _grid()
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * math.pi)
        t = x * math.cos(angle) + y * math.sin(angle)
    else:
        t = np.hypot(x - rng.random(), y - rng.random())
    t = (t - t.min()) / (t.max() - t.min())
    stops = _colours(rng, int(rng.integers(2, 5)))
    at = np.linspace(0, 1, len(stops))
    return _pixels(np.stack([np.interp(t, at, stops[:, c]) for c in range(3)], -1))


def _cloud(rng: Rng, octaves: int, channels: int) -> Floats:
    """Sum of enlarged noise, (384, 384, channels) about 0..1."""
    total = np.zeros((SCENE_SIZE, SCENE_SIZE, channels))
    weights = 0.0
    for octave in range(octaves):
        cells = 3 * 2**octave
        small = rng.integers(0, 256, (cells, cells, channels), np.uint8)
        for c in range(channels):
            layer = Image.fromarray(small[..., c]).resize(
                (SCENE_SIZE, SCENE_SIZE), Image.Resampling.BICUBIC
            )
            total[..., c] += np.asarray(layer, np.float64) / 255 * 0.6**octave
        weights += 0.6**octave
    return total / weights


def _noise(rng: Rng) -> Pixels:
    low, high = _colours(rng, 2)
    octaves = int(rng.integers(1, 7))
    mix = _cloud(rng, octaves, 3 if rng.random() < 0.4 else 1)
    grain = rng.normal(0, rng.choice([0.0, 0.03, 0.12]), (SCENE_SIZE, SCENE_SIZE, 1))
    mix = np.clip((mix - 0.5) * rng.uniform(1, 2.5) + 0.5, 0, 1)
    return _pixels(low * (1 - mix) + high * mix + grain)


def _texture(rng: Rng) -> Pixels:
    """Stripes, checks, dots, tiles or bricks, slightly uneven."""
    x, y = _grid()
    angle = rng.uniform(0, math.pi)
    bend = 0.03 * rng.random() * (_cloud(rng, 3, 1)[..., 0] - 0.5)
    u = x * math.cos(angle) - y * math.sin(angle) + bend
    v = x * math.sin(angle) + y * math.cos(angle) + bend
    n = rng.uniform(4, 30)
    kind = int(rng.integers(5))
    if kind == 0:
        mask = np.sin(2 * math.pi * n * u) > rng.uniform(-0.6, 0.6)
    elif kind == 1:
        mask = (np.floor(n * u) + np.floor(n * v)) % 2 == 0
    elif kind == 2:
        mask = np.hypot(n * u % 1 - 0.5, n * v % 1 - 0.5) < rng.uniform(0.15, 0.45)
    elif kind == 3:
        mask = (n * u % 1 < 0.1) | (n * v % 1 < 0.1)
    else:
        row = np.floor(n * v)
        mask = (n * v % 1 < 0.1) | ((n / 2 * u + 0.5 * (row % 2)) % 1 < 0.06)
    one, other = _colours(rng, 2)
    picture = np.where(mask[..., None], one, other)
    shade = 1 + 0.3 * (_cloud(rng, 5, 1) - 0.5)
    return _pixels(picture * shade)


class _Sketch:
    """Collects SVG shapes."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        self.parts: list[str] = []
        self.line = rng.random() < 0.5

    def colour(self, base: Floats, spread: float = 0.08) -> str:
        r, g, b = _pixels(base + self.rng.uniform(-spread, spread, 3))
        return f"#{r:02x}{g:02x}{b:02x}"

    def _stroke(self) -> str:
        return ' stroke="#30283a" stroke-width="1.3"' if self.line else ""

    def box(self, x: float, y: float, w: float, h: float, fill: str, *, r: float = 0) -> None:
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="{r:.1f}"'
            f' fill="{fill}"{self._stroke()}/>'
        )

    def disc(
        self, x: float, y: float, rx: float, ry: float, fill: str, *, opacity: float = 1
    ) -> None:
        self.parts.append(
            f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{rx:.1f}" ry="{ry:.1f}" fill="{fill}"'
            f' fill-opacity="{opacity:.2f}"/>'
        )

    def shape(self, points: list[tuple[float, float]], fill: str) -> None:
        text = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"
        self.parts.append(f'<path d="{text}" fill="{fill}"{self._stroke()}/>')

    def pixels(self) -> Pixels:
        s = SCENE_SIZE
        svg = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{s}" height="{s}">'
            f"{''.join(self.parts)}</svg>"
        )
        png = resvg_py.svg_to_bytes(svg_string=svg, width=s, height=s, skip_system_fonts=True)
        with Image.open(io.BytesIO(png)) as image:
            return np.array(image.convert("RGB"), np.uint8)


@dataclass(frozen=True)
class _Spot:
    """Where a thing stands in a room, and the room's colours."""

    sketch: _Sketch
    x: float
    y: float
    horizon: float
    wood: Floats
    accent: Floats


def _room(rng: Rng) -> Pixels:
    """A wall and a floor with windows, shelves, pictures, furniture and plants before them."""
    sketch, s = _Sketch(rng), SCENE_SIZE
    wall, floor, wood, accent = _colours(rng, 4)
    horizon = rng.uniform(0.55, 0.9) * s
    sketch.box(0, 0, s, horizon, sketch.colour(wall))
    sketch.box(0, horizon, s, s - horizon, sketch.colour(floor))
    for k in range(int(rng.integers(0, 12))):
        sketch.box(k * s / 12, 0, 3, horizon, sketch.colour(wall, 0.03))
    for _ in range(int(rng.integers(2, 7))):
        x, y = rng.uniform(-40, s - 40), rng.uniform(0, horizon - 60)
        thing = _ROOM_THINGS[int(rng.integers(len(_ROOM_THINGS)))]
        thing(_Spot(sketch, x, y, horizon, wood, accent))
    return sketch.pixels()


def _window(spot: _Spot) -> None:
    sketch, x, y, wood = spot.sketch, spot.x, spot.y, spot.wood
    w, h = sketch.rng.uniform(70, 160), sketch.rng.uniform(80, 170)
    sketch.box(x, y, w, h, sketch.colour(wood))
    for i in range(2):
        for j in range(2):
            left, top = x + 6 + i * w / 2, y + 6 + j * h / 2
            sketch.box(left, top, w / 2 - 9, h / 2 - 9, sketch.colour(np.array([0.7, 0.85, 0.97])))


def _shelf(spot: _Spot) -> None:
    sketch, x, y, horizon = spot.sketch, spot.x, spot.y, spot.horizon
    wood, accent = spot.wood, spot.accent
    rng, w = sketch.rng, sketch.rng.uniform(90, 180)
    sketch.box(x, y, w, horizon - y, sketch.colour(wood))
    row = y + 8
    while row + 46 < horizon:
        left = x + 6
        while left < x + w - 14:
            book = rng.uniform(5, 13)
            tall = rng.uniform(24, 38)
            sketch.box(left, row + 40 - tall, book, tall, sketch.colour(accent, 0.5))
            left += book + 1
        row += 48


def _poster(spot: _Spot) -> None:
    sketch, x, y = spot.sketch, spot.x, spot.y
    wood, accent = spot.wood, spot.accent
    rng = sketch.rng
    w, h = rng.uniform(40, 90), rng.uniform(40, 110)
    sketch.box(x, y, w, h, sketch.colour(wood))
    sketch.box(x + 5, y + 5, w - 10, h - 10, sketch.colour(accent, 0.4))
    sketch.disc(x + w / 2, y + h / 2, w / 4, h / 5, sketch.colour(accent, 0.5))


def _plant(spot: _Spot) -> None:
    sketch, x, horizon, wood = spot.sketch, spot.x, spot.horizon, spot.wood
    rng, foot = sketch.rng, horizon + sketch.rng.uniform(0, 40)
    sketch.shape(
        [(x - 18, foot - 40), (x + 18, foot - 40), (x + 12, foot), (x - 12, foot)],
        sketch.colour(wood),
    )
    green = np.array([0.3, 0.6, 0.35])
    for _ in range(int(rng.integers(5, 12))):
        angle = rng.uniform(-1.3, 1.3)
        tip = (x + 90 * math.sin(angle), foot - 40 - rng.uniform(50, 110) * math.cos(angle))
        sketch.shape([(x - 4, foot - 38), tip, (x + 6, foot - 38)], sketch.colour(green, 0.12))


def _sofa(spot: _Spot) -> None:
    sketch, x, horizon, accent = spot.sketch, spot.x, spot.horizon, spot.accent
    w = sketch.rng.uniform(120, 260)
    sketch.box(x, horizon - 60, w, 80, sketch.colour(accent, 0.2), r=16)
    sketch.box(x - 14, horizon - 30, w + 28, 60, sketch.colour(accent, 0.2), r=14)


def _lamp(spot: _Spot) -> None:
    sketch, x, y, horizon = spot.sketch, spot.x, spot.y, spot.horizon
    wood, accent = spot.wood, spot.accent
    sketch.box(x - 2, y + 40, 4, horizon - y - 40, sketch.colour(wood))
    sketch.shape(
        [(x - 16, y), (x + 16, y), (x + 34, y + 44), (x - 34, y + 44)], sketch.colour(accent, 0.3)
    )


_ROOM_THINGS: Final = (_window, _shelf, _poster, _plant, _sofa, _lamp)


def _view(rng: Rng) -> Pixels:
    """Sky, clouds, hills, trees or houses."""
    sketch, s = _Sketch(rng), SCENE_SIZE
    sky, land, wall = _colours(rng, 3)
    if rng.random() < 0.6:
        sky, land = np.array([0.55, 0.77, 0.95]), np.array([0.45, 0.7, 0.4])
    top, bottom = sketch.colour(sky, 0.15), sketch.colour(sky, 0.25)
    sketch.parts.append(
        '<linearGradient id="s" x1="0" y1="0" x2="0" y2="1">'
        f'<stop offset="0" stop-color="{top}"/><stop offset="1" stop-color="{bottom}"/>'
        "</linearGradient>"
        f'<rect width="{s}" height="{s}" fill="url(#s)"/>'
    )
    for _ in range(int(rng.integers(0, 6))):
        x, y = rng.uniform(0, s, 2)
        for _ in range(5):
            dx, dy = rng.normal(0, 24), rng.normal(0, 7)
            wide, high = rng.uniform(14, 40), rng.uniform(9, 20)
            sketch.disc(x + dx, y * 0.5 + dy, wide, high, "#ffffff", opacity=0.8)
    for layer in range(int(rng.integers(1, 4))):
        base = s * rng.uniform(0.45, 0.75) + 40 * layer
        phase, waves = rng.uniform(0, 6), rng.uniform(0.5, 3)
        points = [
            (float(x), float(base + 26 * math.sin(waves * x / 60 + phase)))
            for x in range(0, s + 9, 8)
        ]
        sketch.shape([(0, s), *points, (s, s)], sketch.colour(land, 0.12))
    _stand_things(sketch, rng, land, wall)
    return sketch.pixels()


def _stand_things(sketch: _Sketch, rng: Rng, land: Floats, wall: Floats) -> None:
    s = SCENE_SIZE
    houses = rng.random() < 0.5
    for _ in range(int(rng.integers(0, 9))):
        x, foot = rng.uniform(0, s), rng.uniform(0.6, 1.0) * s
        if houses:
            w, h = rng.uniform(40, 110), rng.uniform(60, 260)
            sketch.box(x, foot - h, w, h, sketch.colour(wall, 0.2))
            for i in range(int(w // 18)):
                for j in range(int(h // 24)):
                    sketch.box(
                        x + 6 + 18 * i,
                        foot - h + 8 + 24 * j,
                        10,
                        13,
                        sketch.colour(np.array([0.95, 0.9, 0.6]), 0.2),
                    )
        else:
            tall = rng.uniform(50, 170)
            sketch.box(x - 5, foot - tall, 10, tall, sketch.colour(np.array([0.45, 0.33, 0.25])))
            for _ in range(6):
                dx, dy = rng.normal(0, 18, 2)
                sketch.disc(
                    x + dx,
                    foot - tall + dy,
                    rng.uniform(16, 34),
                    rng.uniform(14, 30),
                    sketch.colour(land, 0.15),
                )


#: Share and drawing of each kind of background.
_SCENES: Final[dict[str, tuple[float, Callable[[Rng], Pixels]]]] = {
    "plain": (0.14, _plain),
    "gradient": (0.17, _gradient),
    "noise": (0.17, _noise),
    "texture": (0.15, _texture),
    "room": (0.2, _room),
    "view": (0.17, _view),
}
SCENE_KINDS: Final = tuple(_SCENES)
_SHARES: Final = [share for share, _ in _SCENES.values()]


def scene_kind(seed: int) -> str:
    """Return the kind of the scene of `seed`."""
    rng = np.random.default_rng((seed, 77))
    return SCENE_KINDS[int(rng.choice(len(SCENE_KINDS), p=_SHARES))]
