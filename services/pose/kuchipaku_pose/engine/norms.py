"""Instance normalisations in the form that a provider computes exactly.

Packs hold them with means of row means, since onnxruntime's own operator sums naively on CPUs:
at 512x512 it is off by 1e-3. Other providers sum in other ways; where the engine's self-test shows
that theirs is exact, their own operator takes the place of the twelve.
"""

from __future__ import annotations

from typing import Any, Final

from kuchipaku_pose.onnxedit import GraphEditor, GraphMismatchError

_ROWS: Final = ([2], [3])
"""Axes of the two means, the second one first."""


def with_native_norms(graph: bytes) -> bytes:
    """Return ``graph`` with every norm that `ExactInstanceNorm` writes as one operator.

    A graph without any is returned as it is.
    """
    editor = GraphEditor(graph)
    found = [node for node in editor.graph.node if node.op_type == "BatchNormalization"]
    replaced = sum(_replace(editor, node) for node in found)
    return editor.finish() if replaced else graph


def _replace(editor: GraphEditor, norm: Any) -> bool:
    """Replace one norm; return whether it is one that is known."""
    try:
        centred = editor.maker(norm.input[0], "Reshape").input[0]
        source, mean = editor.maker(centred, "Sub").input
        _expect_mean(editor, mean, source)
        squares = _expect_mean(editor, editor.maker(norm.input[4], "Reshape").input[0])
        if list(editor.maker(squares, "Mul").input) != [centred, centred]:
            return False
        editor.maker(norm.input[3], "ConstantOfShape")
        scale, shift = (_expanded(editor, name) for name in norm.input[1:3])
        result = editor.user(norm.output[0], "Reshape").output[0]
    except GraphMismatchError:
        return False
    epsilon = next(a.f for a in norm.attribute if a.name == "epsilon")
    editor.rename(result, f"{result}.replaced")
    editor.add("InstanceNormalization", [source, scale, shift], result, epsilon=epsilon)
    return True


def _expect_mean(editor: GraphEditor, name: str, of: str | None = None) -> str:
    """Check that ``name`` is the mean over rows and columns, and return of what."""
    for axes in _ROWS:
        node = editor.maker(name, "ReduceMean")
        editor.expect(node.input[1], axes)
        name = node.input[0]
    if of is not None and name != of:
        raise GraphMismatchError(f"{name} is not {of}")
    return name


def _expanded(editor: GraphEditor, name: str) -> str:
    """Return the numbers per channel that were repeated for each picture."""
    source: str = editor.maker(editor.maker(name, "Reshape").input[0], "Expand").input[0]
    # Equal weights of several norms are stored once.
    while (same := editor.maker_of(source)) is not None and same.op_type == "Identity":
        source = same.input[0]
    value = editor.value(source)
    if value is None or value.ndim != 1:
        raise GraphMismatchError(f"{source} is not one number per channel")
    return source
