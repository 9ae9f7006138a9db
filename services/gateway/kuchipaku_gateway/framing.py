"""The frames that the pose service draws for the compositor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from kuchipaku.frames.messages import size_of
from kuchipaku.type.v1 import frame_pb2
from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_contract.limits import LIMITS, MIB

_MAX_INT32 = 2**31 - 1
# Room for the frames that deltas between the services refer to.
_REFERENCE_WINDOW_BYTES = 16 * MIB


class Framed(Protocol):
    """A request that says what part of the canvas to show, and how large."""

    @property
    def crop(self) -> frame_pb2.Crop: ...
    @property
    def width_px(self) -> int: ...
    @property
    def height_px(self) -> int: ...


def frame_format(asked: Framed, *, has_crop: bool) -> frame_pb2.FrameFormat:
    """The format between pose and compositor, spelt out, as both have to be told the same."""
    crop = frame_pb2.Crop(
        left_px=0, top_px=0, width_px=LIMITS.canvas_side_px, height_px=LIMITS.canvas_side_px
    )
    if has_crop:
        crop.CopyFrom(asked.crop)
    told = frame_pb2.FrameFormat(
        encoding=frame_pb2.FRAME_ENCODING_DELTA_ZSTD,
        width_px=asked.width_px,
        height_px=asked.height_px,
        crop=crop,
        reference_window_bytes=_REFERENCE_WINDOW_BYTES,
    )
    # What is out of range is refused behind, but has to get there.
    told.width_px, told.height_px = (
        max(-_MAX_INT32, min(_MAX_INT32, side)) for side in size_of(told)
    )
    return told


@contextmanager
def renamed(names: Mapping[str, str]) -> Iterator[None]:
    """Raise what is found wrong behind under the fields of the request that it was made from.

    `names` maps fields of theirs to ours; where theirs ends in a dot, the beginning of the path,
    and where it ends in an asterisk, all that begins so. The first one that fits is taken.
    """
    try:
        yield
    except KuchipakuError as error:
        if error.field:
            error.field = _renamed(error.field, names)
        raise


def pose_fields(asked_model: str) -> dict[str, str]:
    """How callers of Speak and RenderVideo know what pose finds wrong with model and canvas.

    `asked_model` is the model that the request names; without it the character's is used.
    """
    return {
        "config.model": "config.pose_model" if asked_model else "config.character",
        "config.canvas_sha256": "config.character",
        "canvas*": "config.character",
    }


def _renamed(field: str, names: Mapping[str, str]) -> str:
    for theirs, ours in names.items():
        if theirs.endswith(".") and field.startswith(theirs):
            return ours + field.removeprefix(theirs)
        if field == theirs or (theirs.endswith("*") and field.startswith(theirs[:-1])):
            return ours
    return field
