"""What is checked before a canvas is animated, and what to do about what was found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.limits import LIMITS

from .framing import Face, HeadBox

Rgba = NDArray[np.uint8]

_SIDE: Final = LIMITS.canvas_side_px
#: The head's place on a canvas: https://github.com/pkhungurn/talking-head-anime-3-demo wants the
#: head within columns 192-319 and rows 64-191.
WANTED_HEAD: Final = HeadBox(256.0, 128.0, 128.0)
HEAD_ROWS: Final = slice(64, 192)
HEAD_COLUMNS: Final = slice(192, 320)
#: Degrees that the networks' turn and nod of 1 stand for.
_DEGREES: Final = 16.0
_SURE: Final = 0.8


class Verdict(Enum):
    """How grave a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding."""

    name: str
    verdict: Verdict
    message: str
    value: float | None = None


def worst(value: float, warn: float, fail: float) -> Verdict:
    """OK below `warn`, WARN below `fail`, else FAIL."""
    if value < warn:
        return Verdict.OK
    return Verdict.WARN if value < fail else Verdict.FAIL


#: Of 200 held-out pictures all closed eyes lie below this, all open ones above 0.99; between are
#: eyes that are drawn otherwise.
_SURELY_CLOSED: Final = 0.015


def check_face(head: HeadBox | None) -> Check:
    """Whether there is a head at all."""
    if head is None:
        return Check(
            "face",
            Verdict.FAIL,
            "No face was found: use a picture of one character that looks at the viewer.",
            0.0,
        )
    if head.confidence < _SURE:
        message = "The face is hard to make out: a clearer front view will animate better."
        return Check("face", Verdict.WARN, message, head.confidence)
    return Check("face", Verdict.OK, "A face was found.", head.confidence)


def check_alone(head: HeadBox, others: list[HeadBox]) -> Check:
    """Whether there is one character only."""
    rivals = [other for other in others if other.side > 0.4 * head.side]
    count = 1 + len(rivals)
    if rivals:
        message = f"There are {count} characters: crop the picture to one of them."
        return Check("one_character", Verdict.FAIL, message, count)
    return Check("one_character", Verdict.OK, "There is one character.", count)


def check_place(head: HeadBox) -> Check:
    """Whether the head lies where pose models look for it. `head` is on the canvas."""
    away = max(abs(head.x - WANTED_HEAD.x), abs(head.y - WANTED_HEAD.y)) / 24.0
    size = head.side / WANTED_HEAD.side
    off = max(away, (size - 1.0) / 0.2, (1.0 - size) / 0.17, abs(head.angle) / 0.15)
    verdict = worst(off, 1.01, 2.5)
    if verdict is Verdict.OK:
        return Check("head_box", verdict, "The head is in its place.", head.side)
    message = (
        f"The head is {head.side:.0f} pixels large at column {head.x:.0f} and row {head.y:.0f}; "
        "it should fill columns 192-319 and rows 64-191: fit the picture, or move it."
    )
    return Check("head_box", verdict, message, head.side)


@dataclass(frozen=True, slots=True)
class Cropping:
    """What is missing: shares of the head's box outside of the picture and of the figure outside
    of the canvas, and the lowest row of the canvas that shows the figure."""

    head_share: float
    figure_share: float
    lowest_row: int


def check_cropped(cropping: Cropping) -> Check:
    """Whether head, hair and shoulders are there."""
    if cropping.head_share >= 0.04:
        verdict = worst(cropping.head_share, 0.0, 0.1)
        message = (
            f"{cropping.head_share:.0%} of the head are cut off: use a picture that shows all of "
            "it, with some room above."
        )
        return Check("cropped", verdict, message, cropping.head_share)
    if cropping.lowest_row < 300:
        verdict = Verdict.FAIL if cropping.lowest_row < 232 else Verdict.WARN
        message = (
            f"The figure ends at row {cropping.lowest_row} of {_SIDE}: neck and shoulders are "
            "needed, down to the chest or lower."
        )
        return Check("cropped", verdict, message, float(cropping.lowest_row))
    if cropping.figure_share >= 0.03:
        message = (
            f"{cropping.figure_share:.0%} of the figure lie outside of the canvas: wide hair, "
            "hats or arms are cut off."
        )
        return Check("cropped", Verdict.WARN, message, cropping.figure_share)
    return Check("cropped", Verdict.OK, "Nothing important is cut off.", cropping.head_share)


def check_features(face: Face) -> list[Check]:
    """Eyes, mouth, brows, and the direction of the head."""
    return [_frontal(face), _eyes(face), _mouth(face), _brows(face)]


def _frontal(face: Face) -> Check:
    turn = max(abs(face.turn), abs(face.nod))
    degrees = turn * _DEGREES
    verdict = worst(turn, 0.5, 1.4)
    if verdict is Verdict.OK:
        return Check("frontal", verdict, "The head faces the viewer.", degrees)
    way = "to a side" if abs(face.turn) >= abs(face.nod) else "up or down"
    message = f"The head is turned {way} by about {degrees:.0f} degrees: use a front view."
    return Check("frontal", verdict, message, degrees)


def _eyes(face: Face) -> Check:
    if face.eyes_open >= 0.5:
        return Check("eyes", Verdict.OK, "The eyes are open.", face.eyes_open)
    if face.eyes_open >= _SURELY_CLOSED:
        message = (
            "The eyes look narrow or nearly closed: that is well if they are drawn open, but no "
            "pose can open closed ones."
        )
        return Check("eyes", Verdict.WARN, message, face.eyes_open)
    message = "The eyes are closed, and no pose can open them: use a picture with open eyes."
    return Check("eyes", Verdict.FAIL, message, face.eyes_open)


def _mouth(face: Face) -> Check:
    if face.mouth_open < 0.5:
        message = (
            "The mouth is closed, as the starter model wants it; THA1 alone needs an open one."
        )
        return Check("mouth", Verdict.OK, message, face.mouth_open)
    message = (
        "The mouth is open, and will stay so in pauses: a closed or slightly open one is better."
    )
    return Check("mouth", Verdict.WARN, message, face.mouth_open)


def _brows(face: Face) -> Check:
    if face.brows_visible >= 0.5:
        return Check("brows", Verdict.OK, "The eyebrows are visible.", face.brows_visible)
    message = "The eyebrows are covered and will not move: a cap or fringe hides them."
    return Check("brows", Verdict.WARN, message, face.brows_visible)


def check_alpha(canvas: Rgba, removed_by: str) -> Check:
    """How much of the canvas the figure covers."""
    share = float(np.mean(canvas[..., 3] < 8))
    start = f"The background was removed by {removed_by}; " if removed_by else ""
    told = f"{start}{share:.0%} of the canvas are transparent."
    told = told[0].upper() + told[1:]
    if share > 0.96:
        message = f"{told} Hardly anything is left: use a picture on a plain background."
        return Check("alpha", Verdict.FAIL, message, share)
    if share < 0.15:
        message = f"{told} That is little: look whether some background is left."
        return Check("alpha", Verdict.WARN, message, share)
    return Check("alpha", Verdict.OK, told, share)


def check_size(zoom: float, width: int, height: int) -> Check:
    """Whether the picture was large enough for the canvas."""
    told = f"The picture has {width}x{height} pixels"
    if zoom > 1.25:
        message = f"{told} and was enlarged {zoom:.1f} times: it will look soft."
        return Check("size", worst(zoom, 1.25, 6.0), message, zoom)
    return Check("size", Verdict.OK, f"{told}, which is large enough.", zoom)
