"""A small rendered data set, shared by the training tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from kuchipaku_training.pose import dataset
from kuchipaku_training.pose.dataset import DataSpec, PoseData

SPEC = DataSpec(first_seed=900_000, characters=2, faces=2, turns=2, full_size=True)


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a rendered data set of two characters."""
    folder = tmp_path_factory.mktemp("pose") / "held"
    assert sorted(dataset.render(folder, SPEC, workers=1)) == [0, 1]
    return folder


@pytest.fixture
def data(data_folder: Path) -> PoseData:
    """Return the small data set, opened."""
    return dataset.open_data(data_folder)
