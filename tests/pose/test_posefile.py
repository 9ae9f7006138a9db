from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_pose.manifest import Parameter
from kuchipaku_pose.posefile import read_poses
from kuchipaku_pose.posespace import PoseSpace

SPACE = PoseSpace(
    (
        Parameter(name="open", minimum=0, maximum=1, neutral=0),
        Parameter(name="size", minimum=0, maximum=1, neutral=0.5),
        Parameter(name="turn", minimum=-1, maximum=1, neutral=0),
    )
)
NEUTRAL = [0.0, 0.5, 0.0]


def write(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    if name.endswith(".npy"):
        np.save(path, content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    else:
        path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "content", "poses", "fps"),
    [
        ("a.json", [{}, {"turn": -1, "open": 0.25}], [NEUTRAL, [0.25, 0.5, -1]], None),
        ("a.json", [[0.5, 1, 0]], [[0.5, 1, 0]], None),
        ("a.json", {"fps": 12.5, "poses": [{"size": 1}]}, [[0, 1, 0]], 12.5),
        ("A.JSON", [{}], [NEUTRAL], None),
        ("a.csv", "turn,open\n-0.5,1\n\n0,0.25\n", [[1, 0.5, -0.5], [0.25, 0.5, 0]], None),
        ("a.csv", "\ufeffopen , size\r\n1, 0\r\n", [[1, 0, 0]], None),
        ("a.npy", np.array([[1, 0, -1]], np.float64), [[1, 0, -1]], None),
        ("a.npy", np.array([[1, 0, -1]], np.int8), [[1, 0, -1]], None),
    ],
)
def test_poses_are_read(
    tmp_path: Path, name: str, content: Any, poses: list[list[float]], fps: float | None
) -> None:
    read = read_poses(write(tmp_path, name, content), SPACE)
    assert read.poses.dtype == np.float32
    assert read.poses.tolist() == poses
    assert (read.fps, read.clamped_count) == (fps, 0)


def test_values_out_of_range_are_clamped_and_counted(tmp_path: Path) -> None:
    read = read_poses(write(tmp_path, "a.json", [[2, -1, 0], [0, 0.5, -1.5]]), SPACE)
    assert read.poses.tolist() == [[1, 0, 0], [0, 0.5, -1]]
    assert read.clamped_count == 3


LENGTH, UNKNOWN = "POSE_WRONG_LENGTH", "POSE_PARAMETER_UNKNOWN"
VALUE, FINITE, FILE = "POSE_VALUE_INVALID", "POSE_NOT_FINITE", "POSES_NOT_READABLE"


@pytest.mark.parametrize(
    ("name", "content", "reason", "told"),
    [
        ("a.txt", "", "POSES_FORMAT_UNKNOWN", [".json, .csv, .npy"]),
        ("a.json", "[{", FILE, ["a.json"]),
        ("a.json", "[" * 100_000, FILE, ["a.json"]),
        ("a.json", f"[[0, 0, {'1' * 5000}]]", FILE, ["a.json", "digits"]),
        ("a.json", {"fps": 25}, FILE, ["list of poses"]),
        ("a.json", {"poses": [], "speed": 1}, FILE, ["'speed'"]),
        ("a.json", {"poses": [{}], "fps": "quick"}, VALUE, ["fps", "'quick'"]),
        ("a.json", [], "POSES_EMPTY", ["a.json"]),
        ("a.json", [{}, 3], VALUE, ["pose 1"]),
        ("a.json", [[0, 0, 0], [0, 0]], LENGTH, ["pose 1", "2 values", "takes 3"]),
        ("a.json", [{}, {"opne": 1}], UNKNOWN, ["pose 1", "'opne'"]),
        ("a.json", [{}, {"open": "wide"}], VALUE, ["pose 1", "open", "'wide'"]),
        ("a.json", [{"open": True}], VALUE, ["pose 0", "open"]),
        ("a.json", [{"open": None}], VALUE, ["pose 0", "open"]),
        ("a.json", [[0, 0, 10**400]], VALUE, ["pose 0", "turn"]),
        ("a.json", "[[0, 0, 0], [0, NaN, 0]]", FINITE, ["pose 1", "size (column 1)", "nan"]),
        ("a.json", "[[0, 0, 1e200]]", FINITE, ["pose 0", "turn (column 2)", "1e+200"]),
        ("a.csv", "", "POSES_EMPTY", ["a.csv"]),
        ("a.csv", "open\n", "POSES_EMPTY", ["a.csv"]),
        ("a.csv", "open,opne\n0,0\n", UNKNOWN, ["header", "'opne'"]),
        ("a.csv", "open,open\n0,0\n", FILE, ["twice"]),
        ("a.csv", "open,turn\n0,0\n0\n", LENGTH, ["pose 1", "1 values", "header has 2"]),
        ("a.csv", "open,turn\n0,left\n", VALUE, ["pose 0", "turn (column 2)", "'left'"]),
        ("a.csv", "open,turn\n0,\n", VALUE, ["pose 0", "turn"]),
        ("a.csv", 'open\n"0\n', FILE, ["a.csv"]),
        ("a.csv", "open,turn\n0,nan\n", FINITE, ["pose 0", "turn (column 2)"]),
        ("a.npy", np.zeros(3), FILE, ["(3,)", "(poses, 3)"]),
        ("a.npy", np.zeros((2, 45)), LENGTH, ["45 values", "takes 3"]),
        ("a.npy", np.zeros((0, 3)), "POSES_EMPTY", ["a.npy"]),
        ("a.npy", np.zeros((1, 3), np.complex64), "ARRAY_NOT_READABLE", ["complex64"]),
        ("a.npy", np.array([[0, 0, 0], [0, 0, np.inf]]), FINITE, ["pose 1", "turn (column 2)"]),
    ],
)
def test_wrong_poses_are_refused_with_their_place(
    tmp_path: Path, name: str, content: Any, reason: str, told: list[str]
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        read_poses(write(tmp_path, name, content), SPACE)
    assert (caught.value.reason, caught.value.field) == (reason, "poses")
    for part in told:
        assert part in caught.value.message


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(InvalidArgumentError) as caught:
        read_poses(tmp_path / "a.npy", SPACE)
    assert caught.value.reason == "ARRAY_NOT_READABLE"


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    for name in ("a.json", "a.csv"):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00")
        with pytest.raises(InvalidArgumentError) as caught:
            read_poses(tmp_path / name, SPACE)
        assert caught.value.reason == FILE


@settings(deadline=None)
@example(data=b"'", magic=True, suffix="csv")
@example(data=b"'shape': (10**12, 10**6)}", magic=True, suffix="csv")
@given(data=st.binary(max_size=120), magic=st.booleans(), suffix=st.sampled_from(["json", "csv"]))
def test_arbitrary_files_raise_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, magic: bool, suffix: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = folder / f"any.{suffix}"
    if magic:
        path = folder / "any.npy"
        data = b"\x93NUMPY\x01\x00\x40\x00{'descr': '<f8', 'fortran_order': False, " + data
    path.write_bytes(data)
    with pytest.raises(InvalidArgumentError):
        read_poses(path, SPACE)


@settings(deadline=None)
@given(poses=st.lists(st.lists(st.floats(-2, 2, width=32), min_size=3, max_size=3), min_size=1))
def test_the_three_formats_say_the_same(
    tmp_path_factory: pytest.TempPathFactory, poses: list[list[float]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    rows = "".join(",".join(map(repr, pose)) + "\n" for pose in poses)
    files = [
        write(folder, "same.json", poses),
        write(folder, "same.csv", "open,size,turn\n" + rows),
        write(folder, "same.npy", np.array(poses)),
    ]
    first, *others = [read_poses(file, SPACE) for file in files]
    for other in others:
        np.testing.assert_array_equal(other.poses, first.poses)
        assert other.clamped_count == first.clamped_count
