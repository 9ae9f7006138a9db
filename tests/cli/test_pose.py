"""``kuchipaku pose``: parameters and pictures of a tiny model, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from kuchipaku.cli.main import main
from tests.pose.tinypack import SIDE, assert_frame, write_pack

POSES = [[0.0, 0.0, 0.0, 0.0, 0.0], [0.25, -0.25, 0.5, 0.125, 1.0]]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "models" / "tiny", name="tiny")


@pytest.fixture
def picture() -> np.ndarray:
    pixels = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    pixels[:4] = 0
    return pixels


@pytest.fixture
def image(tmp_path: Path, picture: np.ndarray) -> Path:
    path = tmp_path / "character.png"
    Image.fromarray(picture).save(path)
    return path


def kuchipaku(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["pose", *map(str, arguments)])


def poses_file(folder: Path, poses: Any = POSES) -> Path:
    path = folder / "poses.json"
    path.write_text(json.dumps(poses), encoding="utf-8")
    return path


def test_parameters_are_listed_in_order(model: Path) -> None:
    result = kuchipaku("params", "--model", model)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["name", "minimum", "maximum", "neutral"]
    assert lines[1].split() == ["0", "p0", "-1", "1", "0"]
    assert lines[-1].split()[:2] == ["4", "idle"]


def test_parameters_as_json(model: Path) -> None:
    result = kuchipaku("params", "--model", model, "--json")
    parameters = json.loads(result.stdout)
    assert [parameter["name"] for parameter in parameters] == ["p0", "p1", "p2", "p3", "idle"]
    assert parameters[0] == {"name": "p0", "minimum": -1.0, "maximum": 1.0, "neutral": 0.0}


def test_a_model_is_found_by_name(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUCHIPAKU_POSE_MODELS", str(model.parent))
    assert kuchipaku("params", "--model", "tiny").exit_code == 0
    assert kuchipaku("params").exit_code == 0
    result = kuchipaku("params", "--model", "huge")
    assert result.exit_code == 1
    assert "MODEL_UNKNOWN" in result.stderr
    assert "tiny" in result.stderr


def test_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUCHIPAKU_POSE_MAX_STREAMS", "many")
    result = kuchipaku("params", "--model", "tiny")
    assert result.exit_code == 1
    assert "SETTINGS_INVALID" in result.stderr
    assert "KUCHIPAKU_POSE_MAX_STREAMS" in result.stderr


@pytest.mark.parametrize("command", [["pose", "params"], ["models", "list"]])
@pytest.mark.parametrize(("name", "value"), [("WORKERS", "abc"), ("DEFAULT_QUANTUM", "1e-50")])
def test_wrong_settings_are_told_by_their_variable(
    monkeypatch: pytest.MonkeyPatch, command: list[str], name: str, value: str
) -> None:
    monkeypatch.setenv(f"KUCHIPAKU_POSE_{name}", value)
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "SETTINGS_INVALID" in result.stderr
    assert f"KUCHIPAKU_POSE_{name}: " in result.stderr


def test_a_picture_for_each_pose(
    tmp_path: Path, model: Path, image: Path, picture: np.ndarray
) -> None:
    out = tmp_path / "frames"
    result = kuchipaku(
        "render", "--model", model, "--image", image, "--poses", poses_file(tmp_path), "--out", out
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(out)
    assert sorted(path.name for path in out.iterdir()) == ["frame_00000.png", "frame_00001.png"]
    for number, pose in enumerate(POSES):
        shown = np.asarray(Image.open(out / f"frame_{number:05d}.png"))
        assert shown.shape == (SIDE, SIDE, 4)
        assert_frame(shown[4:], picture[4:], np.array(pose))


def test_raw_output_of_a_tensor(tmp_path: Path, model: Path) -> None:
    tensor = np.random.default_rng(2).random((4, SIDE, SIDE), np.float32)
    np.save(tmp_path / "tensor.npy", tensor)
    np.save(tmp_path / "poses.npy", np.array(POSES, np.float32))
    out = tmp_path / "deep" / "out.npy"
    result = kuchipaku(
        "render", "--model", model, "--image", tmp_path / "tensor.npy",
        "--poses", tmp_path / "poses.npy", "--out", out, "--raw", "--workers", 2,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    values = np.load(out)
    assert (values.dtype, values.shape) == (np.float32, (2, 4, SIDE, SIDE))
    halved = tensor * np.array([0.5, 0.5, 0.5, 1], np.float32)[:, None, None]
    np.testing.assert_allclose(values[0], halved, atol=1e-6)
    # p3 goes to red, p2 to blue, nothing to alpha; nothing is clipped or rounded.
    np.testing.assert_allclose(values[1][3], tensor[3], atol=1e-6)
    assert (values[1] - values[0])[2].mean() == pytest.approx(0.5, abs=1e-5)
    assert [path.name for path in out.parent.iterdir()] == ["out.npy"]


def test_pictures_of_a_tensor(tmp_path: Path, model: Path) -> None:
    tensor = np.zeros((4, SIDE, SIDE), np.float32)
    tensor[0], tensor[3] = 1.0, 1.0
    np.save(tmp_path / "tensor.npy", tensor)
    poses = poses_file(tmp_path, [{}])
    result = kuchipaku(
        "render", "--model", model, "--image", tmp_path / "tensor.npy", "--poses", poses,
        "--out", tmp_path / "frames",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    shown = np.asarray(Image.open(tmp_path / "frames" / "frame_00000.png"))
    assert shown[5, 5].tolist() == [128, 0, 0, 255]


@pytest.mark.parametrize(
    ("arguments", "box", "size"),
    [
        (["--crop", "16,32,80,64", "--size", "160"], (16, 32, 96, 96), (160, 128)),
        (["--size", "256"], (0, 0, SIDE, SIDE), (256, 256)),
        (["--crop", "full"], None, None),
    ],
)
def test_a_part_of_the_canvas_at_another_size(
    tmp_path: Path, model: Path, image: Path, arguments: list[str], box: Any, size: Any
) -> None:
    poses = poses_file(tmp_path, [{}])
    common = ("render", "--model", model, "--image", image, "--poses", poses, "--out")
    whole = kuchipaku(*common, tmp_path / "whole")
    part = kuchipaku(*common, tmp_path / "part", *arguments)
    if box is None:  # the framings are of canvases of 512 pixels
        assert part.exit_code == 1
        assert "CROP_OUT_OF_CANVAS" in part.stderr
        return
    assert (whole.exit_code, part.exit_code) == (0, 0), part.output
    canvas = Image.open(tmp_path / "whole" / "frame_00000.png")
    expected = canvas.crop(box).resize(size, Image.Resampling.BICUBIC)
    shown = Image.open(tmp_path / "part" / "frame_00000.png")
    assert shown.size == size
    assert np.array_equal(np.asarray(shown), np.asarray(expected))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--crop", "head"], "bust, full or LEFT,TOP,WIDTH,HEIGHT"),
        (["--crop", "1,2,3"], "LEFT,TOP,WIDTH,HEIGHT"),
        (["--size", "100"], "128"),
        (["--size", "1025"], "1024"),
        (["--crop", "0,0,128,128", "--raw", "--out", "x.npy"], "no --crop"),
    ],
)
def test_crops_and_sizes_that_cannot_be(
    tmp_path: Path, model: Path, image: Path, arguments: list[str], problem: str
) -> None:
    result = kuchipaku(
        "render", "--model", model, "--image", image, "--poses", poses_file(tmp_path),
        "--out", tmp_path / "f", *arguments,
    )  # fmt: skip
    assert result.exit_code == 2
    assert problem in result.stderr


@pytest.mark.parametrize("crop", ["100,0,64,64", "0,0,8,8", "-1,0,128,128"])
def test_a_crop_lies_within_the_canvas(tmp_path: Path, model: Path, image: Path, crop: str) -> None:
    result = kuchipaku(
        "render", "--model", model, "--image", image, "--poses", poses_file(tmp_path),
        "--out", tmp_path / "f", f"--crop={crop}",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "CROP_OUT_OF_CANVAS" in result.stderr


def test_clamped_values_are_told(tmp_path: Path, model: Path, image: Path) -> None:
    poses = poses_file(tmp_path, [{"p0": 3, "p1": 0.5}, {"p2": -7}])
    result = kuchipaku(
        "render", "--model", model, "--image", image, "--poses", poses, "--out", tmp_path / "f"
    )
    assert result.exit_code == 0, result.output
    assert "2 of 10 values were out of range" in result.stderr


def save_tensor(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (np.zeros((4, SIDE, SIDE)), "TENSOR_INVALID"),
        (np.zeros((3, SIDE, SIDE), np.float32), "TENSOR_INVALID"),
        (np.zeros((4, SIDE, SIDE + 1), np.float32), "TENSOR_INVALID"),
        (np.full((4, SIDE, SIDE), np.nan, np.float32), "TENSOR_INVALID"),
        (np.array(["a"]), "ARRAY_NOT_READABLE"),
    ],
)
def test_wrong_tensors_are_refused(
    tmp_path: Path, model: Path, made: np.ndarray, reason: str
) -> None:
    image = save_tensor(tmp_path / "tensor.npy", made)
    result = kuchipaku(
        "render", "--model", model, "--image", image, "--poses", poses_file(tmp_path),
        "--out", tmp_path / "f",
    )  # fmt: skip
    assert result.exit_code == 1
    assert reason in result.stderr
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda pixels: pixels[:-4], "CANVAS_WRONG_SIZE"),
        (lambda pixels: pixels[..., :3], "IMAGE_WITHOUT_ALPHA"),
    ],
)
def test_wrong_pictures_are_refused(
    tmp_path: Path, model: Path, picture: np.ndarray, make: Any, reason: str
) -> None:
    image = tmp_path / "wrong.png"
    Image.fromarray(np.ascontiguousarray(make(picture))).save(image)
    result = kuchipaku(
        "render", "--model", model, "--image", image, "--poses", poses_file(tmp_path),
        "--out", tmp_path / "f",
    )  # fmt: skip
    assert result.exit_code == 1
    assert reason in result.stderr


def test_a_wrong_pose_is_named(tmp_path: Path, model: Path, image: Path) -> None:
    poses = poses_file(tmp_path, [{}, {"p9": 1}])
    result = kuchipaku(
        "render", "--model", model, "--image", image, "--poses", poses, "--out", tmp_path / "f"
    )
    assert result.exit_code == 1
    assert "POSE_PARAMETER_UNKNOWN" in result.stderr
    assert "pose 1" in result.stderr


def test_a_provider_that_is_not_there_is_an_error(tmp_path: Path, model: Path, image: Path) -> None:
    poses = poses_file(tmp_path)
    result = kuchipaku(
        "render", "--model", model, "--image", image, "--poses", poses, "--out", tmp_path / "f",
        "--provider", "tensorrt",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "PROVIDER_UNAVAILABLE" in result.stderr


@pytest.mark.parametrize("arguments", [["--out", "x.npy"], ["--out", "folder", "--raw"]])
def test_where_the_result_goes_must_fit(
    tmp_path: Path, model: Path, image: Path, arguments: list[str]
) -> None:
    result = kuchipaku(
        "render", "--model", model, "--image", image, "--poses", poses_file(tmp_path), *arguments
    )
    assert result.exit_code == 2
    assert "--raw" in result.stderr or ".npy" in result.stderr


def test_without_the_engine_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name="kuchipaku_pose")

    monkeypatch.setattr("kuchipaku.cli.pose.importlib.import_module", missing)
    result = kuchipaku("params")
    assert result.exit_code == 1
    assert "pip install 'kuchipaku[standalone]'" in result.stderr
