"""Data, training and export of the matting network, on a very small scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_imagegen.cutout import open_matting_models
from kuchipaku_training import drawn
from kuchipaku_training.matting import dataset, task
from kuchipaku_training.matting.compose import Placement, compose
from kuchipaku_training.matting.dataset import DataSpec, FigureData
from kuchipaku_training.matting.evaluate import evaluate
from kuchipaku_training.matting.export import export_model
from kuchipaku_training.matting.figures import LABELS, draw_figure
from kuchipaku_training.matting.network import MattingNetwork
from kuchipaku_training.matting.scenes import SCENE_KINDS, draw_scene, scene_kind
from kuchipaku_training.matting.train import Trainer, TrainSettings

SPEC = DataSpec(first_seed=910_000, characters=2, variants=2, scenes=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("matting") / "data" / "held"
    done = sum(dataset.render(folder, SPEC, workers=1))
    assert done == SPEC.figures + SPEC.scenes
    (folder.parent / "train").symlink_to(folder)
    return folder


@pytest.fixture
def data(folder: Path) -> FigureData:
    return dataset.open_data(folder)


def test_figures_are_drawn_as_their_labels_say() -> None:
    figures = [draw_figure(910_000 + index // 4, index % 4) for index in range(12)]
    again = draw_figure(910_001, 2)
    np.testing.assert_array_equal(figures[6].picture, again.picture)
    labels = np.stack([figure.labels for figure in figures])
    assert set(np.unique(labels[:, LABELS.index("brows_visible")])) == {0.0, 1.0}
    assert labels[:, LABELS.index("eyes_open")].min() < 0.2
    for figure in figures:
        x, y, side, angle = figure.head
        assert abs(x - 256) < 40
        assert abs(y - 128) < 40
        assert 115 < side < 142
        assert abs(angle) < 0.5
        # The middle of the box lies on the face.
        assert figure.picture[int(y), int(x), 3] == 255


@pytest.mark.parametrize("kind", SCENE_KINDS)
def test_every_kind_of_scene_is_drawn(kind: str) -> None:
    seed = next(seed for seed in range(200) if scene_kind(seed) == kind)
    scene = draw_scene(seed)
    assert scene.shape == (384, 384, 3)
    assert scene.dtype == np.uint8
    np.testing.assert_array_equal(scene, draw_scene(seed))


def test_a_set_of_another_spec_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(FailedPreconditionError) as caught:
        drawn.create(folder, DataSpec(1, 2, 2, 3))
    assert caught.value.reason == "DATA_SPEC_DIFFERS"
    with pytest.raises(InvalidArgumentError):
        DataSpec(1, 0, 1, 1)
    assert list(dataset.render(folder, SPEC, workers=1)) == []


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [-0.3, 0.0, 0.4])
def test_heads_come_to_lie_where_they_are_placed(
    data: FigureData, mirrored: bool, angle: float
) -> None:
    place = Placement(x=90.0, y=100.0, side=60.0, angle=angle, mirrored=mirrored)
    one = compose(data, [place], (240, 200), np.random.default_rng(4))
    assert one.picture.shape == (3, 240, 200)
    assert one.alpha.shape == (1, 240, 200)
    assert 0.0 <= float(one.picture.min()) <= float(one.picture.max()) <= 1.0
    np.testing.assert_allclose(one.seen[0].head, (90, 100, 60, angle), atol=1e-6)
    # The chin is below the middle along the head's axis, the figure's body further on.
    for distance in (0.0, 0.4):
        x = 90 - 60 * distance * np.sin(angle)
        y = 100 + 60 * distance * np.cos(angle)
        assert float(one.alpha[0, int(y), int(x)]) > 0.9
    assert float(one.alpha[0, 3, 3]) == 0.0


def test_measures() -> None:
    truth = torch.zeros(2, 1, 20, 20)
    truth[0, 0, 5:15, 5:15] = 1.0
    shifted = torch.roll(truth, 5, 3)
    assert task.iou(truth, truth).tolist() == [1.0, 1.0]
    assert task.iou(shifted, truth).tolist() == pytest.approx([1 / 3, 1.0])
    assert task.edge_error(truth, truth).tolist() == [0.0, 0.0]
    assert float(task.edge_error(1 - truth, truth)[0]) == 1.0


def test_training_resumes_exactly_and_learns(data: FigureData, tmp_path: Path) -> None:
    settings = TrainSettings(steps=4, pictures=1, small_share=1.0, warmup=1, save_every=2)
    whole = Trainer(settings, tmp_path / "whole")
    losses = [whole.train_step(data) for _ in range(4)]
    half = Trainer(settings, tmp_path / "half")
    for _ in range(2):
        half.train_step(data)
    half.save()
    rest = Trainer(settings, tmp_path / "half")
    assert rest.resume()
    assert [rest.train_step(data) for _ in range(2)] == pytest.approx(losses[2:], rel=1e-5)
    for name, value in whole.average.state_dict().items():
        torch.testing.assert_close(value, rest.average.state_dict()[name])


def test_the_export_computes_what_the_network_does(folder: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "data").symlink_to(folder.parent)
    with pytest.raises(FailedPreconditionError) as caught:
        evaluate(work, Console(quiet=True), 1)
    assert caught.value.reason == "CHECKPOINT_MISSING"
    Trainer(TrainSettings(steps=1), work / "runs").save()
    pack = tmp_path / "pack"
    with pytest.raises(FailedPreconditionError) as caught:
        export_model(work, pack, Console(quiet=True))
    assert caught.value.reason == "REPORT_MISSING"
    assert not pack.exists()
    report = evaluate(work, Console(quiet=True), 2)
    export_model(work, pack, Console(quiet=True), note="A test.")
    assert (pack / "matting.onnx").stat().st_size < 3_000_000
    card = (pack / "MODEL_CARD.md").read_text("utf-8")
    assert f"{report['plain']['iou']:.4f}" in card
    assert "A test." in card
    mask = (
        open_matting_models(pack, rembg_folder=None)
        .get("")
        .mask(np.full((70, 90, 3), 128, np.uint8))
    )
    assert mask.shape == (320, 320)
    assert 0.0 <= float(mask.min()) <= float(mask.max()) <= 1.0


def test_the_network_takes_other_sizes() -> None:
    network = MattingNetwork().eval()
    with torch.inference_mode():
        assert network(torch.rand(2, 3, 64, 96)).shape == (2, 1, 64, 96)
