"""Poses in files: JSON, CSV or NumPy.

========= ==============================================================================
ending    content
========= ==============================================================================
``.json`` a list of poses, or ``{"fps": 25, "poses": [...]}``. A pose is an object of
          parameter names and values, others neutral, or a list of all values in order
``.csv``  a header of parameter names, then one pose a line; other parameters are neutral
``.npy``  numbers of shape (poses, parameters)
========= ==============================================================================
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_pose.posespace import Poses, PoseSpace

_FIELD = "poses"


@dataclass(frozen=True)
class PoseFile:
    """Poses fit for a model."""

    poses: Poses
    """float32 (n, parameters), within the ranges."""
    clamped_count: int
    """Values that were out of range."""
    fps: float | None
    """Poses per second, where the file says so."""


def read_poses(path: Path, space: PoseSpace) -> PoseFile:
    """Read the poses of a file.

    Raises:
        InvalidArgumentError: with the file, the pose (from 0) and the parameter in its message.
            POSES_FORMAT_UNKNOWN, the ending; POSES_NOT_READABLE, not what the ending says;
            POSES_EMPTY; POSE_WRONG_LENGTH; POSE_PARAMETER_UNKNOWN; POSE_VALUE_INVALID, not a
            number; POSE_NOT_FINITE.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(_READERS)
        raise _refuse(f"{path.name}: poses come as {known}.", "POSES_FORMAT_UNKNOWN")
    try:
        values, fps = reader(path, space)
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, str(error)) from error
    if not len(values):
        raise _refuse(f"{path.name} holds no pose.", "POSES_EMPTY")
    # Values beyond float32 become infinite, and are named as such.
    with np.errstate(over="ignore"):
        poses = values.astype(np.float32)
    wrong = np.argwhere(~np.isfinite(poses))
    if len(wrong):
        row, column = (int(i) for i in wrong[0])
        raise _refuse(
            f"{path.name}: pose {row}, {space.names[column]} (column {column}): "
            f"{values[row, column]} is not a finite number.",
            "POSE_NOT_FINITE",
        )
    checked = space.check(poses, field=_FIELD)
    return PoseFile(checked.poses, checked.clamped_count, fps)


_Values = NDArray[np.float64]
_Read = tuple[_Values, float | None]


def _read_json(path: Path, space: PoseSpace) -> _Read:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    # Numbers with thousands of digits are refused by a ValueError of their own.
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, str(error)) from error
    fps = None
    if isinstance(content, dict):
        if unknown := sorted(content.keys() - {"fps", "poses"}):
            raise _unreadable(path, f"unknown key {unknown[0]!r}; there are 'fps' and 'poses'")
        if "fps" in content:
            fps = _number(content["fps"], f"{path.name}: fps")
        content = content.get("poses")
    if not isinstance(content, list):
        raise _unreadable(path, "it holds no list of poses")
    poses = [_json_pose(pose, f"{path.name}: pose {i}", space) for i, pose in enumerate(content)]
    return np.array(poses, np.float64).reshape(len(poses), len(space)), fps


def _json_pose(pose: object, where: str, space: PoseSpace) -> Sequence[float]:
    if isinstance(pose, list):
        _check_length(len(pose), where, space)
        names: Iterable[str] = space.names
        return [_number(value, f"{where}, {name}") for name, value in zip(names, pose, strict=True)]
    if not isinstance(pose, dict):
        raise _refuse(f"{where} is neither an object nor a list.", "POSE_VALUE_INVALID")
    values: list[float] = space.neutral.tolist()
    for name, value in pose.items():
        values[_column(name, where, space)] = _number(value, f"{where}, {name}")
    return values


def _read_csv(path: Path, space: PoseSpace) -> _Read:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            header = [name.strip() for name in next(rows, [])]
            columns = [_column(name, f"{path.name}: header", space) for name in header]
            if len(set(columns)) < len(columns):
                raise _unreadable(path, "a parameter stands in the header twice")
            poses: list[Sequence[float]] = []
            for row in rows:
                if row:
                    poses.append(_csv_pose(row, columns, f"{path.name}: pose {len(poses)}", space))
        except csv.Error as error:
            raise _unreadable(path, str(error)) from error
    return np.array(poses, np.float64).reshape(len(poses), len(space)), None


def _csv_pose(
    row: Sequence[str], columns: Sequence[int], where: str, space: PoseSpace
) -> Sequence[float]:
    if len(row) != len(columns):
        raise _refuse(
            f"{where} has {len(row)} values; the header has {len(columns)}.", "POSE_WRONG_LENGTH"
        )
    values: list[float] = space.neutral.tolist()
    for column, text in zip(columns, row, strict=True):
        values[column] = _number(text, f"{where}, {space.names[column]} (column {column})")
    return values


def _read_npy(path: Path, space: PoseSpace) -> _Read:
    values = load_array(path, _FIELD)
    if values.ndim != 2:
        raise _unreadable(path, f"its shape is {values.shape}, expected (poses, {len(space)})")
    _check_length(values.shape[1], f"{path.name}: every pose", space)
    return values.astype(np.float64), None


_READERS: Final[Mapping[str, Callable[[Path, PoseSpace], _Read]]] = {
    ".json": _read_json,
    ".csv": _read_csv,
    ".npy": _read_npy,
}


def load_array(path: Path, field: str) -> NDArray[np.generic]:
    """Return the real numbers of a ``.npy`` file; nothing in it is executed.

    Raises:
        InvalidArgumentError: ARRAY_NOT_READABLE.
    """
    try:
        with path.open("rb") as file:
            values = np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # a damaged header raises whatever its parsing runs into
        raise InvalidArgumentError(
            f"{path.name} is not a readable .npy file: {error}",
            reason="ARRAY_NOT_READABLE",
            field=field,
        ) from error
    if values.dtype.kind not in "fiu":
        raise InvalidArgumentError(
            f"{path.name} holds {values.dtype}, not numbers.",
            reason="ARRAY_NOT_READABLE",
            field=field,
        )
    return np.asarray(values)


def _column(name: str, where: str, space: PoseSpace) -> int:
    if name not in space.names:
        raise _refuse(f"{where}: this model has no parameter {name!r}.", "POSE_PARAMETER_UNKNOWN")
    return space.names.index(name)


def _number(value: object, where: str) -> float:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise _refuse(f"{where}: {value!r} is not a number.", "POSE_VALUE_INVALID")


def _check_length(length: int, where: str, space: PoseSpace) -> None:
    if length != len(space):
        raise _refuse(
            f"{where} has {length} values; this model takes {len(space)}.", "POSE_WRONG_LENGTH"
        )


def _unreadable(path: Path, problem: str) -> InvalidArgumentError:
    return _refuse(f"{path.name} cannot be read: {problem}.", "POSES_NOT_READABLE")


def _refuse(message: str, reason: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, reason=reason, field=_FIELD)
