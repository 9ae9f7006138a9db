"""Data sets are rendered once, resume, and are refused where they do not fit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_training import drawn
from kuchipaku_training.pose import dataset
from kuchipaku_training.pose.dataset import DataSpec, PoseData
from kuchipaku_training.pose.layout import WINDOW_COLUMNS, WINDOW_ROWS
from kuchipaku_training.pose.pixels import halve, over_colour, premultiply
from tests.training.conftest import SPEC


def test_a_finished_set_renders_nothing_more(data_folder: Path) -> None:
    assert drawn.missing_count(data_folder) == 0
    assert list(dataset.render(data_folder, SPEC, workers=1)) == []


def test_rendering_resumes_with_what_is_missing(data_folder: Path, tmp_path: Path) -> None:
    spec = DataSpec(first_seed=SPEC.first_seed, characters=2, faces=2, turns=1)
    drawn.create(tmp_path, spec)
    done = np.load(tmp_path / "done.npy", mmap_mode="r+")
    done[1] = True
    done.flush()
    assert list(dataset.render(tmp_path, spec, workers=1)) == [0]
    # The same seed gives the same pictures, whatever else the set holds.
    full = dataset.open_data(data_folder)
    np.testing.assert_array_equal(dataset.open_data(tmp_path)["neutral"][0], full["neutral"][0])


def test_pictures_show_their_poses(data: PoseData) -> None:
    window = np.asarray(data["neutral"][0][WINDOW_ROWS, WINDOW_COLUMNS])
    for face, pose in zip(data["face"][0], data["face_pose"][0], strict=True):
        assert np.any(pose != 0.0)
        assert np.any(face != window)
    for turned in data["turned"][0]:
        assert np.mean(np.asarray(turned) != np.asarray(data["neutral"][0])) > 0.01
    assert np.all(np.asarray(data["turned"][0, 0])[..., :3].max(-1) <= data["turned"][0, 0][..., 3])


def test_half_size_pictures_are_averages(data: PoseData) -> None:
    np.testing.assert_array_equal(data["neutral_half"][1], halve(np.asarray(data["neutral"][1])))


def test_another_spec_in_the_folder_is_refused(data_folder: Path) -> None:
    with pytest.raises(FailedPreconditionError, match="another data set"):
        drawn.create(data_folder, dataclasses.replace(SPEC, characters=3))


def test_a_folder_without_a_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FailedPreconditionError, match="no data set"):
        dataset.open_data(tmp_path)


@pytest.mark.parametrize("change", ["missing", "another form", "spec"])
def test_a_set_of_another_version_is_refused(tmp_path: Path, change: str) -> None:
    spec = DataSpec(first_seed=1, characters=1, faces=1, turns=1)
    drawn.create(tmp_path, spec)
    if change == "missing":
        (tmp_path / "bare.npy").unlink()
    elif change == "spec":
        (tmp_path / "spec.json").write_text('{"first_seed": 1, "people": 1}', "utf-8")
        with pytest.raises(FailedPreconditionError, match="another data set"):
            drawn.create(tmp_path, spec)
        with pytest.raises(FailedPreconditionError, match="another version"):
            dataset.open_data(tmp_path)
        return
    else:
        np.save(tmp_path / "bare.npy", np.zeros((1, 8, 8, 4), np.uint8))
    for use in (lambda: drawn.create(tmp_path, spec), lambda: dataset.open_data(tmp_path)):
        with pytest.raises(FailedPreconditionError, match="another version") as caught:
            use()
        assert caught.value.reason == "DATA_SPEC_DIFFERS"


def test_a_set_without_a_finished_character_is_refused(tmp_path: Path) -> None:
    drawn.create(tmp_path, DataSpec(first_seed=1, characters=1, faces=1, turns=1))
    with pytest.raises(FailedPreconditionError, match="no finished character"):
        dataset.open_data(tmp_path)


@pytest.mark.parametrize(("characters", "turns"), [(0, 1), (1, 3), (1, 0)])
def test_impossible_specs_are_refused(characters: int, turns: int) -> None:
    with pytest.raises(InvalidArgumentError):
        DataSpec(first_seed=1, characters=characters, faces=2, turns=turns)


def test_premultiplying_and_laying_over_a_colour() -> None:
    pixel = np.array([[[200, 100, 50, 128]]], np.uint8)
    np.testing.assert_array_equal(premultiply(pixel)[0, 0], [100, 50, 25, 128])
    clear = over_colour(np.zeros((1, 1, 4), np.float32), (1.0, 0.0, 0.5))
    np.testing.assert_array_equal(clear[0, 0], [255, 0, 128])
