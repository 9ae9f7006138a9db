"""A drawn character: layers in painting order, posed and rasterised."""

from __future__ import annotations

import io

import numpy as np
import resvg_py
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from .accessories import draw_accessories, draw_glasses
from .attributes import Accessory, Attributes
from .body import draw_neck
from .build import Build
from .eyes import draw_eye
from .face import draw_brow, draw_face
from .hair_back import draw_back_hair
from .hair_front import draw_fringe_shadow, draw_front_hair
from .ink import Ink
from .look import Look
from .mouth import draw_mouth
from .outfits import draw_outfit
from .pose import Pose
from .props import draw_props
from .rig import Rig
from .style import OWN_HAND, Style
from .wraps import draw_choker, draw_earrings, draw_scarf

CANVAS = 512
_SIDES = (1, -1)


class Character:
    """One character that can be drawn in many poses.

    Whatever does not change shape with the expression is drawn once and only turned per pose.
    `style`: the hand that draws it.
    """

    def __init__(self, attributes: Attributes, style: Style = OWN_HAND) -> None:
        self.attributes = attributes
        self._look = Look(attributes, style)
        self._build = Build(attributes, style)
        self._back = self._draw_back()
        self._clothes = self._draw_clothes()
        self._head = self._draw_head()
        self._over_features = self._draw_over_features()

    def svg(self, pose: ArrayLike | None = None, *, bare: bool = False) -> str:
        """The picture as an SVG document of 512 x 512 user units; `bare` without eyes, brows and
        mouth: what lies behind them.

        pose: 45 values in the order of `kuchipaku_animation.poses.PARAMETER_NAMES`; None is the
        neutral pose. Values outside their ranges are clipped. Raises ValueError for a wrong shape
        or values that are not finite.
        """
        posed = Pose(pose)
        rig = Rig(posed)
        layers = [self._back, self._clothes, self._head, self._over_features]
        if not bare:
            layers.insert(-1, self._draw_features(posed))
            layers.append(self._draw_brows(posed))
        body = "".join(layer.svg(rig) for layer in layers)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{CANVAS}" height="{CANVAS}"'
            f' viewBox="0 0 {CANVAS} {CANVAS}"><g stroke-linecap="round" stroke-linejoin="round">'
            f"{body}</g></svg>"
        )

    def render(
        self, pose: ArrayLike | None = None, size: int = CANVAS, *, bare: bool = False
    ) -> NDArray[np.uint8]:
        """RGBA picture (size, size, 4), uint8, straight alpha, transparent background."""
        png = resvg_py.svg_to_bytes(
            svg_string=self.svg(pose, bare=bare), width=size, height=size, skip_system_fonts=True
        )
        with Image.open(io.BytesIO(png)) as picture:
            return np.array(picture.convert("RGBA"), np.uint8)

    def _ink(self, prefix: str) -> Ink:
        return Ink(self._build, prefix, self._look.style)

    def _draw_back(self) -> Ink:
        ink = self._ink("a")
        draw_back_hair(ink, self._look)
        return ink

    def _draw_clothes(self) -> Ink:
        ink, look = self._ink("b"), self._look
        draw_neck(ink, look)
        draw_choker(ink, look)
        draw_props(ink, look)
        draw_outfit(ink, look)
        draw_scarf(ink, look)
        return ink

    def _draw_head(self) -> Ink:
        ink, look = self._ink("h"), self._look
        draw_face(ink, look)
        draw_fringe_shadow(ink, look)
        return ink

    def _draw_features(self, pose: Pose) -> Ink:
        ink, look = self._ink("f"), self._look
        draw_mouth(ink, look, pose)
        for side in _SIDES:
            draw_eye(ink, look, pose, side)
            draw_brow(ink, look, pose, side, 1.0)
        return ink

    def _draw_over_features(self) -> Ink:
        ink, look = self._ink("o"), self._look
        if look.wears(Accessory.GLASSES) or look.style.glasses is not None:
            draw_glasses(ink, look)
        draw_front_hair(ink, look)
        draw_earrings(ink, look)
        draw_accessories(ink, look)
        return ink

    def _draw_brows(self, pose: Pose) -> Ink:
        """The eyebrows shine through the fringe, as usual in anime."""
        ink = self._ink("w")
        for side in _SIDES:
            draw_brow(ink, self._look, pose, side, self._look.style.brows.through_hair)
        return ink


def render_svg(attributes: Attributes, pose: ArrayLike | None = None) -> str:
    """One picture as SVG; see `Character.svg`."""
    return Character(attributes).svg(pose)


def render(
    attributes: Attributes, pose: ArrayLike | None = None, size: int = CANVAS
) -> NDArray[np.uint8]:
    """One picture as RGBA; see `Character.render`."""
    return Character(attributes).render(pose, size)
