"""Targets, training and export of the head-box networks, on a very small scale."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_imagegen.framing import HeadBox, open_heads
from kuchipaku_training.headbox import task
from kuchipaku_training.headbox.evaluate import Figures, Tally, evaluate
from kuchipaku_training.headbox.export import export_model
from kuchipaku_training.headbox.networks import FINDER_SIZE, FINDER_STRIDE
from kuchipaku_training.headbox.train import Trainer, TrainSettings
from kuchipaku_training.matting import dataset
from kuchipaku_training.matting.dataset import DataSpec, FigureData

SPEC = DataSpec(first_seed=920_000, characters=2, variants=1, scenes=2)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("headbox")
    for _ in dataset.render(root / "held", SPEC, workers=1):
        pass
    (root / "train").symlink_to(root / "held")
    return root


@pytest.fixture
def data(root: Path) -> FigureData:
    return dataset.open_data(root / "held")


def test_the_map_shows_the_heads() -> None:
    heads = [np.array([43.0, 57.0, 40.0, 0.2]), np.array([120.0, 100.0, 24.0, -0.1])]
    target, weight = task.finder_target(heads)
    peaks = np.argwhere(target[0] > 0.999)
    assert len(peaks) == 2
    for x, y, side, angle in heads:
        column, row = int(x // FINDER_STRIDE), int(y // FINDER_STRIDE)
        _, dx, dy, log_side, sine, cosine = target[:, row, column]
        assert (column + 0.5 + dx) * FINDER_STRIDE == pytest.approx(x, abs=1e-4)
        assert (row + 0.5 + dy) * FINDER_STRIDE == pytest.approx(y, abs=1e-4)
        assert math.exp(log_side) * FINDER_STRIDE == pytest.approx(side, rel=1e-5)
        assert math.atan2(sine, cosine) == pytest.approx(angle, abs=1e-5)
        assert weight[1, row, column] > 0.3
    assert (weight[0] == 1.0).all()


def test_heads_do_not_cover_each_other() -> None:
    for seed in range(20):
        places = task.place_heads(FINDER_SIZE, 2, np.random.default_rng(seed))
        if len(places) == 2:
            one, other = (HeadBox(place.x, place.y, place.side) for place in places)
            assert one.overlap(other) < 0.2


@pytest.mark.parametrize("name", list(task.TASKS))
def test_training_resumes_exactly(data: FigureData, tmp_path: Path, name: str) -> None:
    settings = TrainSettings(steps=4, pictures=3, warmup=1)
    whole = Trainer(task.TASKS[name], settings, tmp_path / "whole")
    losses = [whole.train_step(data) for _ in range(4)]
    assert all(math.isfinite(loss) for loss in losses)
    half = Trainer(task.TASKS[name], settings, tmp_path / "half")
    for _ in range(2):
        half.train_step(data)
    half.save()
    rest = Trainer(task.TASKS[name], settings, tmp_path / "half")
    assert rest.resume()
    assert [rest.train_step(data) for _ in range(2)] == pytest.approx(losses[2:], rel=1e-4)


def test_nothing_is_asked_of_a_crop_without_a_head(data: FigureData) -> None:
    batch = task.examiner_batch(data, np.random.default_rng(3), 60)
    nobody = batch.target[:, 0] == 0.0
    assert 0 < int(nobody.sum()) < 20
    assert not batch.weight[nobody, 1:].any()
    assert batch.weight[:, 0].all()
    assert torch.isfinite(task.examiner_loss(torch.zeros_like(batch.target), batch))


def test_figures() -> None:
    figures = Figures([0.9, 0.8, 0.86, 0.95], {"eyes": Tally()})
    figures.verdicts["eyes"].add(True, True)
    figures.verdicts["eyes"].add(False, True)
    report = figures.as_dict()
    assert report["iou_reached"] == 0.75
    assert report["verdicts"] == {"eyes": {"right": 1, "judged": 2, "share": 0.5}}


def test_the_export_is_what_the_service_opens(root: Path, tmp_path: Path) -> None:
    work, pack = tmp_path / "work", tmp_path / "pack"
    quiet = Console(quiet=True)
    with pytest.raises(FailedPreconditionError) as caught:
        evaluate(work, root, quiet, 1)
    assert caught.value.reason == "CHECKPOINT_MISSING"
    for one in task.TASKS.values():
        Trainer(one, TrainSettings(steps=1), work / "runs").save()
    evaluate(work, root, quiet, 2)
    export_model(work, root, pack, quiet)
    assert sum(path.stat().st_size for path in pack.glob("*.onnx")) < 2_000_000
    assert "IoU >= 0.85" in (pack / "MODEL_CARD.md").read_text("utf-8")
    heads = open_heads(pack)
    assert heads is not None
    face = heads.examine(np.full((200, 200, 3), 120, np.uint8), HeadBox(100, 100, 60))
    assert face is not None
    assert 0.0 <= face.eyes_open <= 1.0
