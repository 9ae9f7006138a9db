"""From a picture to a canvas that can be animated.

The framing is that of talking-head-anime 3 and 4 by Pramook Khungurn
(https://github.com/pkhungurn/talking-head-anime-3-demo): 512x512 with alpha, upright, facing
forward, the head within the 128x128 box in the middle of the upper half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

from .checks import (
    HEAD_COLUMNS,
    HEAD_ROWS,
    WANTED_HEAD,
    Check,
    Cropping,
    Verdict,
    check_alone,
    check_alpha,
    check_cropped,
    check_face,
    check_features,
    check_place,
    check_size,
)
from .cutout import MattingModels, Region, remove_background
from .cutout.refine import resized
from .cutout.removal import over_grey, without_holes
from .framing import HeadBox, Heads, Similarity

Rgba = NDArray[np.uint8]

__all__ = ["Check", "Fit", "Fitter", "Verdict"]

_SIDE: Final = LIMITS.canvas_side_px
#: Room around the canvas in which hats and arms are looked for before it is cut.
_MARGIN: Final = 64
_WIDE: Final = _SIDE + 2 * _MARGIN
#: A cut-out leaves at least a rim; less is a picture with its background.
_MIN_TRANSPARENT: Final = 0.02
#: Share of what is visible that the matting network is sure is no figure: of cut-outs below 0.01.
_MAX_HIDDEN_GROUND: Final = 0.25
_SURELY_GROUND: Final = 0.1
_MAX_TRANSPARENT: Final = 0.97
#: How far a figure is made smaller for a hat or wide sleeves to fit.
_LEAST_SCALE: Final = 0.86
_LOWEST_HEAD: Final = 12.0
_MIN_HEAD_COVERAGE: Final = 0.45
#: A canvas whose head is nearer to its place than this is left as it is.
_CLOSE_PX: Final = 12.0
_CLOSE_SCALE: Final = 0.16
_CLOSE_ANGLE: Final = math.radians(4.0)
_VISIBLE: Final = 128
#: Where the head lies in a canvas with its margin; what does not hang together with it goes.
_HEAD: Final = Region(
    *(
        (middle + _MARGIN + part * WANTED_HEAD.side) / _WIDE
        for part in (-0.3, 0.3)
        for middle in (WANTED_HEAD.x, WANTED_HEAD.y)
    )
)


@dataclass(frozen=True, slots=True)
class Fit:
    """A canvas and what was found on the way to it."""

    canvas: Rgba
    """(512, 512, 4) uint8, straight alpha, sRGB; colours are 0 where alpha is 0."""
    checks: tuple[Check, ...]
    head: HeadBox | None = None
    """In the picture that was given."""
    canvas_head: HeadBox | None = None
    matting_model: str = ""
    """What removed the background; empty if there was none."""


class Fitter:
    """Makes canvases of pictures."""

    def __init__(self, heads: Heads | None, matting: MattingModels) -> None:
        """Without `heads` pictures are framed by their middle square alone."""
        self._heads = heads
        self._matting = matting

    def fit(self, picture: Rgba, *, check_only: bool = False, matting_model: str = "") -> Fit:
        """Make a canvas of a picture (height, width, 4) uint8, straight alpha, sRGB.

        Raises `InvalidArgumentError`: SIZE_NOT_CANVAS and PICTURE_HAS_BACKGROUND where
        `check_only` forbids changes, PICTURE_EMPTY where nearly all is transparent,
        NO_CHARACTER_FOUND where a picture with a background shows none; and what opening and
        running the models raise.
        """
        transparent = float(np.mean(picture[..., 3] < 8))
        _require_picture(picture, transparent, check_only=check_only)
        found = self._heads.find(over_grey(picture)) if self._heads else []
        if transparent < _MIN_TRANSPARENT:
            return self._cut_and_fit(picture, picture, found, matting_model)
        if found and not check_only and self._hides_background(picture, matting_model):
            return self._cut_and_fit(picture, without_holes(picture), found, matting_model)
        if check_only or (found and _is_canvas(picture) and _is_close(found[0])):
            return self._unchanged(picture, found)
        if not found:
            return self._by_middle(picture)
        map_ = Similarity.between(found[0], WANTED_HEAD)
        wide = _wider(map_).picture(picture, (_WIDE, _WIDE))
        return self._framed(picture, wide, found, map_, "")

    def _hides_background(self, picture: Rgba, model: str) -> bool:
        """Whether transparency only frames the picture, as that of a round avatar does."""
        if not list(self._matting):
            return False
        height, width = picture.shape[:2]
        mask = self._matting.get(model).mask(over_grey(picture))
        ground = resized(mask, (width, height))[picture[..., 3] >= _VISIBLE] < _SURELY_GROUND
        return bool(ground.size) and float(ground.mean()) > _MAX_HIDDEN_GROUND

    def _cut_and_fit(self, picture: Rgba, whole: Rgba, found: list[HeadBox], model: str) -> Fit:
        """Take the background away; `whole` is the picture without transparency."""
        name = self._matting.resolve(model)
        network = self._matting.get(name)
        if not found:
            cut_out = remove_background(picture, network).picture
            if self._heads is None:
                return self._by_middle(cut_out, name)
            found = self._found_in_cut_out(cut_out)
        if not found:
            raise _no_character()
        map_ = Similarity.between(found[0], WANTED_HEAD)
        outer = _wider(map_)
        wide = outer.picture(picture, (_WIDE, _WIDE))
        # A border of nothing would be taken for the background, and the picture for the figure.
        seen = wide if whole is picture else outer.picture(whole, (_WIDE, _WIDE))
        cut = remove_background(outer.continued(whole, seen), network, near=_HEAD)
        np.minimum(wide[..., 3], cut.picture[..., 3], out=wide[..., 3])
        wide[..., :3] = cut.picture[..., :3]
        if not (wide[..., 3] >= _VISIBLE).any():
            raise _no_character()
        return self._framed(picture, wide, found, map_, name)

    def _found_in_cut_out(self, cut: Rgba) -> list[HeadBox]:
        """Heads in what matting has left of a picture: a busy background may have hidden them."""
        if self._heads is None:
            return []
        rows, columns = np.nonzero(cut[..., 3] >= _VISIBLE)
        if rows.size < 0.01 * cut.shape[0] * cut.shape[1]:
            return []
        top, left = int(rows.min()), int(columns.min())
        part = cut[top : rows.max() + 1, left : columns.max() + 1]
        if min(part.shape[:2]) < 16:
            return []
        found = self._heads.find(over_grey(part))
        return [replace(head, x=head.x + left, y=head.y + top) for head in found]

    def _framed(
        self, picture: Rgba, wide: Rgba, found: list[HeadBox], map_: Similarity, model: str
    ) -> Fit:
        """Cut the canvas out of `wide`, a canvas with a margin around."""
        settle = _settling(wide)
        if settle is None:
            canvas = wide[_MARGIN : _MARGIN + _SIDE, _MARGIN : _MARGIN + _SIDE].copy()
            head = map_.head(found[0])
        else:
            canvas = settle.picture(wide, (_SIDE, _SIDE))
            head = settle.head(_wider(map_).head(found[0]))
        canvas[canvas[..., 3] < 2] = 0
        cropping = Cropping(
            _outside_share(found[0], picture),
            _lost_share(wide, settle),
            _lowest_row(canvas),
        )
        checks = self._checks(canvas, head, found, cropping)
        checks += [
            check_alpha(canvas, model),
            check_size(head.side / found[0].side, picture.shape[1], picture.shape[0]),
        ]
        return Fit(canvas, tuple(checks), found[0], head, model)

    def _unchanged(self, picture: Rgba, found: list[HeadBox]) -> Fit:
        canvas = picture.copy()
        canvas[canvas[..., 3] == 0] = 0
        tail = [check_alpha(canvas, ""), check_size(1.0, _SIDE, _SIDE)]
        if not found:
            return Fit(canvas, (*self._headless(canvas), *tail))
        head = found[0]
        cropping = Cropping(_outside_share(head, picture), 0.0, _lowest_row(canvas))
        checks = (*self._checks(canvas, head, found, cropping), *tail)
        return Fit(canvas, checks, head, head)

    def _checks(
        self, canvas: Rgba, head: HeadBox, found: list[HeadBox], cropping: Cropping
    ) -> list[Check]:
        checks = [
            check_face(found[0]),
            check_alone(found[0], found[1:]),
            check_place(head),
            check_cropped(cropping),
        ]
        face = self._heads.examine(over_grey(canvas), head) if self._heads else None
        return checks + (check_features(face) if face else [])

    def _by_middle(self, picture: Rgba, model: str = "") -> Fit:
        """Take the middle square: what is left to do where no head was found."""
        height, width = picture.shape[:2]
        side = min(height, width)
        zoom = _SIDE / side
        map_ = Similarity(zoom, 0.0, (width / 2, height / 2), (_SIDE / 2, _SIDE / 2))
        canvas = map_.picture(picture, (_SIDE, _SIDE)) if zoom != 1.0 else _middle(picture)
        canvas[canvas[..., 3] < 2] = 0
        tail = (check_alpha(canvas, model), check_size(zoom, width, height))
        return Fit(canvas, (*self._headless(canvas), *tail), matting_model=model)

    def _headless(self, canvas: Rgba) -> tuple[Check, ...]:
        """Checks where no head was found, or nothing is there to find one."""
        visible = canvas[..., 3] >= _VISIBLE
        coverage = float(np.mean(visible[HEAD_ROWS, HEAD_COLUMNS]))
        if coverage >= _MIN_HEAD_COVERAGE:
            message = "The figure fills the head's place."
            place = Check("head_box", Verdict.OK, message, coverage)
        else:
            message = (
                "The head does not seem to lie in columns 192-319 and rows 64-191: move or scale "
                "the figure so that it does."
            )
            place = Check("head_box", Verdict.WARN, message, coverage)
        return (place,) if self._heads is None else (check_face(None), place)


def _require_picture(picture: Rgba, transparent: float, *, check_only: bool) -> None:
    if transparent > _MAX_TRANSPARENT:
        raise InvalidArgumentError(
            "The picture is almost entirely transparent: there is no character to animate.",
            reason="PICTURE_EMPTY",
            field="image",
            transparent_share=f"{transparent:.3f}",
        )
    if not check_only:
        return
    if not _is_canvas(picture):
        height, width = picture.shape[:2]
        raise InvalidArgumentError(
            f"The picture has {width}x{height} pixels; a canvas has {_SIDE}x{_SIDE}.",
            reason="SIZE_NOT_CANVAS",
            field="image",
            width_px=width,
            height_px=height,
        )
    if transparent < _MIN_TRANSPARENT:
        raise InvalidArgumentError(
            "The picture has a background. Let it be fitted, which removes it.",
            reason="PICTURE_HAS_BACKGROUND",
            field="image",
            transparent_share=f"{transparent:.3f}",
        )


def _no_character() -> InvalidArgumentError:
    return InvalidArgumentError(
        "No character was found in the picture: use one of an anime character that looks at the "
        "viewer, head and shoulders visible.",
        reason="NO_CHARACTER_FOUND",
        field="image",
    )


def _is_canvas(picture: Rgba) -> bool:
    return picture.shape[:2] == (_SIDE, _SIDE)


def _is_close(head: HeadBox) -> bool:
    return (
        max(abs(head.x - WANTED_HEAD.x), abs(head.y - WANTED_HEAD.y)) <= _CLOSE_PX
        and abs(head.side / WANTED_HEAD.side - 1.0) <= _CLOSE_SCALE
        and abs(head.angle) <= _CLOSE_ANGLE
    )


def _middle(picture: Rgba) -> Rgba:
    height, width = picture.shape[:2]
    top, left = (height - _SIDE) // 2, (width - _SIDE) // 2
    return picture[top : top + _SIDE, left : left + _SIDE].copy()


def _wider(map_: Similarity) -> Similarity:
    """The same map onto a canvas with a margin around."""
    x, y = map_.target
    return replace(map_, target=(x + _MARGIN, y + _MARGIN))


def _settling(wide: Rgba) -> Similarity | None:
    """What makes the figure smaller or lower so that hat, hair and arms fit; None if they do."""
    visible = wide[..., 3] >= _VISIBLE
    if not visible.any():
        return None
    head_x, head_y = WANTED_HEAD.x + _MARGIN, WANTED_HEAD.y + _MARGIN
    rows = np.flatnonzero(visible.any(1))
    columns = np.flatnonzero(visible[: int(head_y + 256)].any(0))
    above = head_y - float(rows[0])
    aside = max(head_x - float(columns[0]), float(columns[-1]) - head_x) if columns.size else 0.0
    scale = min(1.0, WANTED_HEAD.y / max(above, 1.0), WANTED_HEAD.x / max(aside, 1.0))
    if scale >= 1.0:
        return None
    scale = max(scale, _LEAST_SCALE)
    lower = min(_LOWEST_HEAD, max(0.0, above * scale - WANTED_HEAD.y))
    return Similarity(scale, 0.0, (head_x, head_y), (WANTED_HEAD.x, WANTED_HEAD.y + lower))


def _outside_share(head: HeadBox, picture: Rgba) -> float:
    """Share of the head's box that lies outside of the picture."""
    line = (np.arange(32) + 0.5) / 32 - 0.5
    x, y = np.meshgrid(line * head.side, line * head.side)
    upright = HeadBox(0.0, 0.0, head.side)
    points = Similarity.between(upright, head).points(np.stack([x.ravel(), y.ravel()], 1))
    height, width = picture.shape[:2]
    inside = (points >= 0).all(1) & (points[:, 0] < width) & (points[:, 1] < height)
    return float(1.0 - inside.mean())


def _lost_share(wide: Rgba, settle: Similarity | None) -> float:
    """Share of the figure above the canvas's lower edge that the canvas does not show."""
    corners = np.array([[0.0, 0.0], [_SIDE, _SIDE]])
    shown = settle.back(corners) if settle else corners + _MARGIN
    (left, top), (right, bottom) = np.clip(np.rint(shown), 0, _WIDE).astype(int)
    visible = wide[:bottom, :, 3] >= _VISIBLE
    whole = int(np.count_nonzero(visible))
    kept = int(np.count_nonzero(visible[top:, left:right]))
    return 1.0 - kept / whole if whole else 0.0


def _lowest_row(canvas: Rgba) -> int:
    rows = np.flatnonzero((canvas[..., 3] >= _VISIBLE).any(1))
    return int(rows[-1]) + 1 if rows.size else 0
