"""The starter's flow stage, computed only in the columns where something can be seen.

The stage ends in maps at an eighth to a quarter of the size, which it scales up, samples the
canvas by, and blends: two thirds of its time, all of it per pixel, and about half of the canvas is
empty beside a character. The rewritten graph finds the columns outside of which every
sample falls on empty canvas and the blended picture is invisible, cuts the maps to the others,
and pads the result. It differs from the original by float32's rounding, and outside of
those columns by an alpha below a quarter of a level, which no picture shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from kuchipaku_pose.onnxedit import GraphEditor, GraphMismatchError

_SIDE: Final = 512
_MAP: Final = 128
"""Side of the maps."""
_STEP: Final = _SIDE // _MAP
_WINDOW: Final = (128, 384)
"""Columns of the face's window: other outputs of the stage hold them, so that they always count."""
_UNSEEN: Final = 0.25 / 255
"""Alpha that no rounding makes visible, not even beside another of its kind."""
_INT64, _FLOAT = np.int64, np.float32
_TO_FLOAT: Final = 1
"""``onnx.TensorProto.FLOAT``."""
_SLACK: Final = 1e-5
"""Rounding of positions, which are between -1 and 1."""


@dataclass(frozen=True)
class _Parts:
    """The nodes of the stage's end that the rewrite touches."""

    maps: str
    """Name of the maps (n, 22, 128, 128): offsets x, y; four values each, by their place in a 2x2
    block, of hole, red, green, blue, alpha."""
    sampling: Any
    """The node that samples the canvas."""
    offset_scale: float
    hole_bias: float
    windows: tuple[Any, Any]
    """The slices of the window's columns, of the flow and of what stays visible."""
    result: Any
    """The node that makes the turned canvas."""


def only_visible_columns(graph: bytes) -> bytes:
    """Return the rewritten stage.

    Raises:
        GraphMismatchError: the graph is not the starter's flow stage as the exporter writes it.
    """
    editor = GraphEditor(graph)
    parts = _find(editor)
    first, end = _columns(editor, parts)
    _cut(editor, parts, first, end)
    return editor.finish()


def _find(editor: GraphEditor) -> _Parts:
    sampling = editor.user("canvas", "DeformConv")
    kept = editor.user(sampling.output[0], "Mul")
    result = editor.user(kept.output[0], "Add")
    if "turned" not in result.output:
        raise GraphMismatchError("the sampled canvas is not the stage's result")
    flipped = editor.maker(editor.maker(sampling.input[2], "Mul").input[0], "Gather")
    enlarged = editor.maker(flipped.input[0], "Resize")
    editor.expect(enlarged.input[2], [1, 1, _STEP, _STEP])
    scaled = editor.maker(enlarged.input[0], "Mul")
    scale = editor.value(scaled.input[1])
    offsets = editor.maker(scaled.input[0], "Slice")
    editor.expect(offsets.input[1], [0])
    editor.expect(offsets.input[2], [2])
    bias = _hole_bias(editor, editor.maker(kept.input[1], "Sub"), offsets.input[0])
    if scale is None or scale.size != 1:
        raise GraphMismatchError("the offsets are not scaled by a number")
    windows = editor.maker("face_flow", "Slice"), editor.maker("keep", "Slice")
    for window in windows:
        for place, column in zip(window.input[1:3], _WINDOW, strict=True):
            editor.expect(place, [column])
    return _Parts(offsets.input[0], sampling, float(scale), bias, windows, result)


def _hole_bias(editor: GraphEditor, visible: Any, maps: str) -> float:
    """Follow what stays visible back to the maps; return what is taken from the hole's values."""
    blended = editor.maker(editor.maker(visible.input[1], "Slice").input[0], "Resize")
    editor.expect(blended.input[2], [1, 1, 2, 2])
    hole = editor.maker(editor.maker(blended.input[0], "Concat").input[0], "Sigmoid")
    biased = editor.maker(hole.input[0], "Sub")
    bias = editor.value(biased.input[1])
    first = editor.maker(biased.input[0], "Slice")
    editor.expect(first.input[1], [0])
    editor.expect(first.input[2], [1])
    rest = editor.maker(editor.maker(first.input[0], "DepthToSpace").input[0], "Slice")
    editor.expect(rest.input[1], [2])
    if rest.input[0] != maps or bias is None or bias.size != 1:
        raise GraphMismatchError("the hole's values do not come from the maps")
    return float(bias)


def _columns(editor: GraphEditor, parts: _Parts) -> tuple[str, str]:
    """Add what finds the maps' first column and the one after the last; return their names."""
    window = np.zeros(_MAP, np.bool_)
    window[_WINDOW[0] // _STEP : _WINDOW[1] // _STEP] = True
    seen = editor.add("Or", [_sampled(editor, parts), _filled(editor, parts)], "columns.seen")
    always = editor.constant("columns.window", window, np.bool_)
    wanted = editor.add("Or", [seen, always], "columns.wanted")
    first, last = _ends(editor, wanted, "columns.wanted")
    # The canvas is cut like its picture, and must not lose anything to be sampled.
    drawn = _drawn(editor)
    step = editor.constant("columns.step", [_STEP], _INT64)
    leftmost, rightmost = (
        editor.add("Div", [end, step], f"columns.{name}_drawn")
        for name, end in zip(("leftmost", "rightmost"), drawn, strict=True)
    )
    first = editor.add("Min", [first, leftmost], "columns.leftmost_of_both")
    last = editor.add("Max", [last, rightmost], "columns.rightmost_of_both")
    one, two = (editor.constant(f"columns.{n}", [n], _INT64) for n in (1, 2))
    # A column more on each side: enlarging mixes neighbours.
    before = editor.add("Sub", [first, one], "columns.before")
    after = editor.add("Add", [last, two], "columns.after")
    least = editor.constant("columns.least", [0], _INT64)
    most = editor.constant("columns.most", [_MAP], _INT64)
    return (
        editor.add("Max", [before, least], "columns.first"),
        editor.add("Min", [after, most], "columns.end"),
    )


def _filled(editor: GraphEditor, parts: _Parts) -> str:
    """Add what tells in which columns of the maps the blended picture may be visible.

    Its alpha is a product of two sigmoids, no larger than that of the smaller argument.
    """
    hole = _channels(editor, parts.maps, 2, 6, "columns.hole")
    alpha = _channels(editor, parts.maps, 18, 22, "columns.alpha")
    bias = editor.constant("columns.bias", parts.hole_bias)
    biased = editor.add("Sub", [hole, bias], "columns.biased")
    both = editor.add("Min", [biased, alpha], "columns.both")
    unseen = editor.constant("columns.unseen", math.log(_UNSEEN / (1 - _UNSEEN)))
    return editor.add("Greater", [_over_rows(editor, "ReduceMax", both), unseen], "columns.filled")


def _sampled(editor: GraphEditor, parts: _Parts) -> str:
    """Add what tells in which columns of the maps a sample may meet the character."""
    offset = _channels(editor, parts.maps, 0, 1, "columns.offset")
    scale = editor.constant("columns.scale", parts.offset_scale)
    scaled = editor.add("Mul", [offset, scale], "columns.scaled")
    most = _with_neighbours(editor, _over_rows(editor, "ReduceMax", scaled), "columns.right")
    lowest = editor.add("Neg", [_over_rows(editor, "ReduceMin", scaled)], "columns.lowest")
    least = _with_neighbours(editor, lowest, "columns.left")
    columns = np.arange(_MAP) * _STEP
    right = editor.constant("columns.rightmost", _centres(columns + _STEP - 1))
    left = editor.constant("columns.leftmost", _centres(columns))
    reach = (
        editor.add("Sub", [left, least], "columns.reach_left"),
        editor.add("Add", [right, most], "columns.reach_right"),
    )
    from_, to = _character(editor)
    begins = editor.add("Greater", [reach[1], from_], "columns.begins")
    ends = editor.add("Less", [reach[0], to], "columns.ends")
    return editor.add("And", [begins, ends], "columns.sampled")


def _character(editor: GraphEditor) -> tuple[str, str]:
    """Add what finds the positions between which samples meet a visible pixel of the canvas."""
    pixel = editor.constant("columns.pixel", 2 / _SIDE)
    positions = []
    for end, column in zip(("from", "to"), _drawn(editor), strict=True):
        # Samples reach one pixel beyond the last visible one.
        outer = float(_centres(np.array(-1 if end == "from" else 1)))
        slack = -_SLACK if end == "from" else _SLACK
        number = editor.add("Cast", [column], f"columns.{end}_column", to=_TO_FLOAT)
        distance = editor.add("Mul", [number, pixel], f"columns.{end}_distance")
        border = editor.constant(f"columns.{end}_border", outer + slack)
        positions.append(editor.add("Add", [distance, border], f"columns.{end}"))
    return positions[0], positions[1]


def _drawn(editor: GraphEditor) -> tuple[str, str]:
    """Return the canvas's first and last column with a visible pixel, adding what finds them."""
    flags = "columns.there"
    if editor.maker_of(flags) is None:
        alpha = _channels(editor, "canvas", 3, 4, "columns.canvas")
        zero = editor.constant("columns.zero", 0.0)
        editor.add("Greater", [_over_rows(editor, "ReduceMax", alpha), zero], flags)
        _ends(editor, flags, flags)
    return f"{flags}.first", f"{flags}.last"


def _cut(editor: GraphEditor, parts: _Parts, first: str, end: str) -> None:
    """Cut the maps and the positions, and lead everything behind them through that."""
    axes = editor.constant("columns.axis", [3], _INT64)
    readers = [n for n in editor.users(parts.maps) if not n.output[0].startswith("columns.")]
    narrow = editor.add("Slice", [parts.maps, first, end, axes], "columns.maps")
    step = "columns.step"
    left = editor.add("Mul", [first, step], "columns.from_pixel")
    right = editor.add("Mul", [end, step], "columns.to_pixel")
    for node in readers:
        node.input[list(node.input).index(parts.maps)] = narrow
    canvas = editor.add("Slice", ["canvas", left, right, axes], "columns.cut_canvas")
    parts.sampling.input[0] = canvas
    places = []
    for column in _WINDOW:
        place = editor.constant(f"columns.window_{column}", [column], _INT64)
        places.append(editor.add("Sub", [place, left], f"columns.window_at_{column}"))
    for window in parts.windows:
        window.input[1], window.input[2] = places
    side = editor.constant("columns.side", [_SIDE], _INT64)
    rest = editor.add("Sub", [side, right], "columns.rest")
    none = editor.constant("columns.none", [0, 0, 0], _INT64)
    pads = editor.add("Concat", [none, left, none, rest], "columns.pads", axis=0)
    name = parts.result.output[0]
    editor.add("Pad", [editor.rename(name, "columns.turned"), pads], name)


def _channels(editor: GraphEditor, name: str, start: int, stop: int, output: str) -> str:
    places = [
        editor.constant(f"{output}.{kind}", [value], _INT64)
        for kind, value in (("start", start), ("stop", stop), ("axis", 1))
    ]
    return editor.add("Slice", [name, *places], output)


def _over_rows(editor: GraphEditor, operator: str, name: str) -> str:
    """Add a reduction to (columns,). The whole batch shares its columns."""
    rows = "columns.rows"
    if editor.value(rows) is None:
        editor.constant(rows, [0, 1, 2], _INT64)
    return editor.add(operator, [name, rows], f"{name}.{operator}", keepdims=0)


def _with_neighbours(editor: GraphEditor, name: str, output: str) -> str:
    """Add the largest of each column and its neighbours."""
    tall = editor.constant(f"{output}.tall", [1, 1, _MAP], _INT64)
    flat = editor.constant(f"{output}.flat", [_MAP], _INT64)
    raised = editor.add("Reshape", [name, tall], f"{output}.raised")
    pooled = editor.add("MaxPool", [raised], f"{output}.pooled", kernel_shape=[3], pads=[1, 1])
    return editor.add("Reshape", [pooled, flat], output)


def _ends(editor: GraphEditor, flags: str, name: str) -> tuple[str, str]:
    """Add what finds the first and the last column of ``flags`` that is set."""
    numbers = editor.add("Cast", [flags], f"{name}.numbers", to=_TO_FLOAT)
    first = editor.add("ArgMax", [numbers], f"{name}.first", axis=0, keepdims=1)
    last = editor.add("ArgMax", [numbers], f"{name}.last", axis=0, keepdims=1, select_last_index=1)
    return first, last


def _centres(columns: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the positions of pixels' centres, -1 to 1 over the canvas."""
    return (2.0 * columns + 1) / _SIDE - 1
