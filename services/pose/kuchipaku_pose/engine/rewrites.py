"""Exact changes to stages' graphs when they are loaded, where they save time on a CPU.

`docs/pose-models.md` and `services/pose/README.md` tell what they save.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import numpy as np

from kuchipaku_pose.engine.columns import only_visible_columns
from kuchipaku_pose.manifest import Manifest
from kuchipaku_pose.onnxedit import Array, GraphEditor, GraphMismatchError

_LOG = logging.getLogger(__name__)

_STARTER: Final = "starter"
_FLOW: Final = "flow"
_DEFORM_CONV_OPSET: Final = 19
_CHANNELS: Final = 4
"""Of pictures."""


def rewritten(manifest: Manifest, stage: str, graph: bytes) -> bytes:
    """Return ``graph`` in the form that is run: the same results up to float32's rounding.

    A graph that does not look as expected is returned as it is.
    """
    if manifest.family != _STARTER:
        return with_woven_blocks(graph)
    graph = with_offset_samples(graph)
    if stage == _FLOW:
        try:
            graph = only_visible_columns(graph)
        except GraphMismatchError as mismatch:
            _LOG.info("not rewritten", extra={"stage": stage, "why": str(mismatch)})
    return with_woven_blocks(with_joined_slices(graph))


def with_offset_samples(graph: bytes) -> bytes:
    """Return ``graph`` with each picture that is sampled around its own pixels by a DeformConv.

    GridSample works its positions out anew for every channel; the deformable convolution, here of
    one pixel and with the identity for weights, does so once and takes offsets as they are. What
    lies outside is 0 for both.
    """
    editor = GraphEditor(graph)
    found = [node for node in editor.graph.node if node.op_type == "GridSample"]
    if editor.opset < _DEFORM_CONV_OPSET:
        return graph
    replaced = 0
    for node in found:
        settings = {attribute.name: attribute for attribute in node.attribute}
        by_default = settings["align_corners"].i == 0 and settings["padding_mode"].s == b"zeros"
        flow = _flow_of(editor, node.input[1]) if by_default else None
        if flow is not None and settings["mode"].s == b"bilinear":
            _sample_by_offsets(editor, node, *flow, f"offsets.{replaced}")
            replaced += 1
    return editor.finish() if replaced else graph


def _flow_of(editor: GraphEditor, grid: str) -> tuple[str, int] | None:
    """Return the flow (n, 2, s, s), in half sides, and the side s of a grid around the pixels."""
    try:
        axes = [
            editor.maker(editor.maker(name, "Unsqueeze").input[0], "Add")
            for name in editor.maker(grid, "Concat").input
        ]
        parts = [editor.maker(axis.input[0], "Gather") for axis in axes]
        for channel, part in enumerate(parts):
            editor.expect(part.input[1], channel)
    except GraphMismatchError:
        return None
    found = [editor.value(axis.input[1]) for axis in axes]
    lines = [line for line in found if line is not None]
    if len(lines) != 2 or parts[0].input[0] != parts[1].input[0]:
        return None
    side = lines[0].size
    centres = (2.0 * np.arange(side) + 1) / side - 1
    shapes = lines[0].shape, lines[1].shape
    if shapes != ((side,), (side, 1)) or any(
        not np.allclose(line.reshape(-1), centres, atol=1e-6) for line in lines
    ):
        return None
    return parts[0].input[0], side


def _sample_by_offsets(editor: GraphEditor, node: Any, flow: str, side: int, name: str) -> None:
    swapped = editor.constant(f"{name}.rows_first", [1, 0], np.int64)
    flipped = editor.add("Gather", [flow, swapped], f"{name}.flipped", axis=1)
    half = editor.constant(f"{name}.half", side / 2)
    offsets = editor.add("Mul", [flipped, half], f"{name}.pixels")
    identity = np.eye(_CHANNELS)[:, :, None, None]
    weights = editor.constant(f"{name}.identity", identity)
    result = node.output[0]
    editor.rename(result, f"{name}.replaced")
    editor.add("DeformConv", [node.input[0], weights, offsets], result)


def with_joined_slices(graph: bytes) -> bytes:
    """Return ``graph`` with slices of slices, along different axes, as slices of several axes.

    A crop of a picture is exported as one slice for the rows and one for the columns; the first
    copies whole rows that the second cuts.
    """
    editor = GraphEditor(graph)
    joined = 0
    for outer in [node for node in editor.graph.node if node.op_type == "Slice"]:
        inner = editor.maker_of(outer.input[0])
        if inner is None or inner.op_type != "Slice" or len(editor.users(outer.input[0])) > 1:
            continue
        if outer.input[0] in {value.name for value in editor.graph.output}:
            continue
        both = _joined(_places(editor, inner), _places(editor, outer))
        if both is not None:
            names = [
                editor.constant(f"joined.{joined}.{kind}", values, np.int64)
                for kind, values in zip(("starts", "ends", "axes"), both, strict=True)
            ]
            source = inner.input[0]
            del outer.input[:]
            outer.input.extend([source, *names])
            joined += 1
    return editor.finish() if joined else graph


def _places(editor: GraphEditor, node: Any) -> list[Array] | None:
    """Return starts, ends and axes of a slice with steps of 1; None if they are not constants."""
    values = [editor.value(name) for name in node.input[1:]]
    if len(values) not in {3, 4} or any(value is None for value in values):
        return None
    known = [value for value in values if value is not None]
    steps_of_one = len(known) == 3 or bool((known[3] == 1).all())
    return known[:3] if steps_of_one and bool((known[2] >= 0).all()) else None


def _joined(inner: list[Array] | None, outer: list[Array] | None) -> list[Array] | None:
    if inner is None or outer is None or np.intersect1d(inner[2], outer[2]).size:
        return None
    return [np.concatenate(pair) for pair in zip(inner, outer, strict=True)]


def with_woven_blocks(graph: bytes) -> bytes:
    """Return ``graph`` with each DepthToSpace of 2x2 blocks as two interleavings.

    onnxruntime's own is a transposition of six axes that moves single numbers: 0.34 ms for five
    planes of 192x192, where weaving columns and then rows together takes 0.12 ms.
    """
    editor = GraphEditor(graph)
    found = [node for node in editor.graph.node if node.op_type == "DepthToSpace"]
    woven = 0
    for node in found:
        settings = {attribute.name: attribute for attribute in node.attribute}
        depth_first = settings["mode"].s == b"DCR"
        maps = _joined_maps(editor, node.input[0]) if depth_first else None
        if settings["blocksize"].i == 2 and (maps or not depth_first):
            name = node.output[0]
            editor.rename(name, f"woven.{woven}.replaced")
            _weave(editor, node.input[0], maps, name, f"woven.{woven}")
            woven += 1
    return editor.finish() if woven else graph


def _joined_maps(editor: GraphEditor, name: str) -> list[str] | None:
    """Return the four maps, one per corner, of which ``name`` is made; None if it is not."""
    node = editor.maker_of(name)
    if node is None or node.op_type != "Concat" or len(node.input) != 4:
        return None
    along = [attribute.i for attribute in node.attribute if attribute.name == "axis"]
    return list(node.input) if along == [1] else None


def _weave(
    editor: GraphEditor, source: str, corners: list[str] | None, result: str, name: str
) -> None:
    """Add what gives ``source`` (n, 4c, h, w) as ``result`` (n, c, 2h, 2w).

    The corners of each block are neighbouring channels, or the maps (n, c, h, w) ``corners``.
    """
    counts = {k: editor.constant(f"{name}.{k}", [k], np.int64) for k in (0, 1, 2, 4, -1)}
    shape = editor.add("Shape", [source], f"{name}.shape")
    sizes = []
    for i in (1, 2):
        places = [editor.constant(f"{name}.at_{i}_{j}", [i + j], np.int64) for j in (0, 1)]
        sizes.append(editor.add("Slice", [shape, *places], f"{name}.size_{i}"))
    planes = editor.add("Div", [sizes[0], counts[4]], f"{name}.planes")
    height = editor.add("Mul", [sizes[1], counts[2]], f"{name}.height")

    def reshape(value: str, dims: list[str], output: str) -> str:
        target = editor.add("Concat", dims, f"{output}.shape", axis=0)
        return editor.add("Reshape", [value, target], output)

    quarters = ""
    if corners is None:
        quarters = reshape(source, [counts[0], planes, counts[4], counts[-1]], f"{name}.quarters")
    rows = []
    for row in (0, 1):
        columns = []
        for column in (0, 1):
            at = 2 * row + column
            if corners is None:
                places = [
                    editor.constant(f"{name}.quarter_{at}_{kind}", [value], np.int64)
                    for kind, value in (("start", at), ("end", at + 1), ("axis", 2))
                ]
                part = editor.add("Slice", [quarters, *places], f"{name}.quarter_{at}")
            else:
                part = corners[at]
            single = [counts[0], planes, counts[-1], counts[1]]
            columns.append(reshape(part, single, f"{name}.column_{at}"))
        pairs = editor.add("Concat", columns, f"{name}.pairs_{row}", axis=3)
        lines = [counts[0], planes, sizes[1], counts[-1]]
        rows.append(reshape(pairs, lines, f"{name}.row_{row}"))
    both = editor.add("Concat", rows, f"{name}.rows", axis=3)
    reshape(both, [counts[0], planes, height, counts[-1]], result)
