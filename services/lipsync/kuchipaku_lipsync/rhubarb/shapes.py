"""Mouth shapes as small integers and sets of them as bit masks, with Rhubarb's tables.

A shape is an index into `SHAPE_NAMES`, a set of shapes an integer with one bit per index. The
search for static segments animates a phrase thousands of times: integers keep that cheap.
"""

from __future__ import annotations

from typing import Final

SHAPE_NAMES: Final = "ABCDEFGHX"
A, B, C, D, E, F, G, H, X = range(len(SHAPE_NAMES))
EVERY_MASK: Final = (1 << len(SHAPE_NAMES)) - 1


def mask_of(names: str) -> int:
    """The set of the shapes with these one-letter names."""
    mask = 0
    for name in names:
        mask |= 1 << SHAPE_NAMES.index(name)
    return mask


def shapes_in(mask: int) -> list[int]:
    """The shapes of a set in the order of their names."""
    return [shape for shape in range(len(SHAPE_NAMES)) if mask >> shape & 1]


# The basic shape (A to F) that stands in for each shape of `SHAPE_NAMES`.
BASIC: Final = tuple(SHAPE_NAMES.index(name) for name in "ABCDEFACA")
# The shape that each one becomes when the mouth relaxes.
RELAXED: Final = tuple(SHAPE_NAMES.index(name) for name in "ABBCCBXBX")
# For each shape all shapes by the effort of moving the mouth there, least first.
_BY_EFFORT: Final = (
    "AXGBCHEDF",
    "BGAXCHEDF",
    "CHBGDAXEF",
    "DCHBGAXEF",
    "ECHBGAXDF",
    "FBGAXCHED",
    "GABCHXEDF",
    "HCBGDAXEF",
    "XAGBCHEDF",
)


def _closest_table() -> tuple[bytes, ...]:
    table = []
    for order in _BY_EFFORT:
        row = bytearray(EVERY_MASK + 1)
        ranked = [SHAPE_NAMES.index(name) for name in order]
        for mask in range(1, EVERY_MASK + 1):
            row[mask] = next(shape for shape in ranked if mask >> shape & 1)
        table.append(bytes(row))
    return tuple(table)


_CLOSEST: Final = _closest_table()


def closest_shape(reference: int, mask: int) -> int:
    """The shape of the non-empty set `mask` that takes least effort to reach from `reference`."""
    return _CLOSEST[reference][mask]


def nearest_allowed(shape: int, allowed: int) -> int:
    """The shape itself where `allowed` has it, else its basic shape."""
    return shape if allowed >> shape & 1 else BASIC[shape]


def allowed_mask(mask: int, allowed: int) -> int:
    """The set with every shape replaced by its nearest allowed one."""
    result = 0
    for shape in shapes_in(mask):
        result |= 1 << nearest_allowed(shape, allowed)
    return result
