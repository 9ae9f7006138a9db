"""Training lowers the loss, and a resumed training is the same as one that never stopped."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training tests need torch (install training)")

from rich.console import Console  # noqa: E402
from torch import nn  # noqa: E402

from kuchipaku_contract.errors import FailedPreconditionError  # noqa: E402
from kuchipaku_training.loop import learning_rate  # noqa: E402
from kuchipaku_training.pose.batches import Batch, face_batch, rotator_batch  # noqa: E402
from kuchipaku_training.pose.dataset import PoseData  # noqa: E402
from kuchipaku_training.pose.networks import (  # noqa: E402
    FaceNetwork,
    Layers,
    NetworkConfig,
    RotatorNetwork,
)
from kuchipaku_training.pose.tasks import FACE_TASK, ROTATOR_TASK, Task  # noqa: E402
from kuchipaku_training.pose.train import Trainer, TrainSettings  # noqa: E402

_SETTINGS = TrainSettings(
    steps=6, characters=1, poses=2, warmup=2, held_every=3, held_characters=1, save_every=3
)
_TINY = NetworkConfig(2, (8, 16), (8, 8), (1, 1), 39, pose_width=16, refined=True, masks=2)


def tiny_face() -> FaceNetwork:
    return FaceNetwork(_TINY)


def tiny_rotator() -> RotatorNetwork:
    return RotatorNetwork(dataclasses.replace(_TINY, pose_size=6, refined=False, masks=1))


TINY_TASKS = (
    dataclasses.replace(FACE_TASK, build=tiny_face),
    dataclasses.replace(ROTATOR_TASK, build=tiny_rotator),
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("task", TINY_TASKS, ids=lambda task: task.name)
def test_the_loss_falls(task: Task, data: PoseData, tmp_path: Path) -> None:
    trainer = Trainer(task, dataclasses.replace(_SETTINGS, steps=48), tmp_path)
    batch = task.batch(data, 0, 1, 1, 2, False)
    trainer.net.train()

    def loss() -> float:
        return float(task.loss(task.forward(trainer.net, batch), batch).detach())

    before = loss()
    for _ in range(48):
        trainer.train_step(data)
    assert loss() < before


@pytest.mark.parametrize("task", TINY_TASKS, ids=lambda task: task.name)
def test_resuming_is_exact(task: Task, data: PoseData, tmp_path: Path) -> None:
    console = Console(quiet=True)
    whole = Trainer(task, _SETTINGS, tmp_path / "whole")
    score = whole.run(data, data, console)
    stopped = Trainer(task, _SETTINGS, tmp_path / "parts")
    for _ in range(2):
        stopped.train_step(data)
    stopped.save()
    resumed = Trainer(task, _SETTINGS, tmp_path / "parts")
    assert resumed.resume()
    assert resumed.step == 2
    assert resumed.run(data, data, console) == score
    for name, value in whole.average.state_dict().items():
        assert torch.equal(value, resumed.average.state_dict()[name]), name
    with (tmp_path / "whole" / f"{task.name}.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["3", "6"]
    assert float(rows[0]["baseline_psnr"]) > 10.0


def test_a_training_can_start_from_the_weights_of_another(data: PoseData, tmp_path: Path) -> None:
    first = Trainer(TINY_TASKS[0], _SETTINGS, tmp_path / "first")
    assert not first.resume()
    first.train_step(data)
    first.save()
    second = Trainer(TINY_TASKS[0], _SETTINGS, tmp_path / "second")
    second.start_from(first.checkpoint)
    assert second.step == 0
    for name, value in first.average.state_dict().items():
        assert torch.equal(value, second.net.state_dict()[name])


def test_a_checkpoint_of_another_network_is_told(tmp_path: Path) -> None:
    face, rotator = (Trainer(task, _SETTINGS, tmp_path) for task in TINY_TASKS)
    face.save()
    face.checkpoint.replace(rotator.checkpoint)
    for use in (rotator.resume, lambda: rotator.start_from(rotator.checkpoint)):
        with pytest.raises(FailedPreconditionError) as caught:
            use()
        assert caught.value.reason == "CHECKPOINT_DIFFERS"
        assert str(rotator.checkpoint) in caught.value.message
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"PK nothing")
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.pt")
    for name, reason in (
        ("nothing", "CHECKPOINT_MISSING"),
        ("broken", "CHECKPOINT_UNREADABLE"),
        ("other", "CHECKPOINT_UNREADABLE"),
    ):
        with pytest.raises(FailedPreconditionError) as caught:
            face.start_from(tmp_path / f"{name}.pt")
        assert (caught.value.reason, caught.value.field) == (reason, "from")


def test_the_learning_rate_rises_stays_and_falls() -> None:
    settings = TrainSettings(steps=100, warmup=10, decay_share=0.4, learning_rate=1.0)
    rates = [learning_rate(step, settings) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[30] == 1.0
    assert rates[60] == pytest.approx(1.0)
    assert rates[80] == pytest.approx(0.5)
    assert rates[99] < 0.05


def test_batches_depend_on_seed_and_step_alone(data: PoseData) -> None:
    for make in (face_batch, rotator_batch):
        first, second = make(data, 7, 1, 2, 2), make(data, 7, 1, 2, 2)
        assert torch.equal(first.target, second.target)
        assert torch.equal(first.pose, second.pose)
        assert not torch.equal(make(data, 8, 1, 2, 2).target, first.target)


def test_batches_keep_source_and_truth_together(data: PoseData) -> None:
    # Away from what a pose changes, source and truth are equal whatever the change applied.
    for step in range(6):
        batch = face_batch(data, step, 3, 2, 2)
        assert batch.neutral.shape == (2, 4, 192, 192)
        assert batch.pose.shape == (4, 39)
        edge = (batch.source - batch.target)[..., :8, :].abs().max()
        assert edge < 1e-5
        # The bare face as well; it lacks the eyes.
        assert batch.bare is not None
        bare = (batch.neutral - batch.bare).abs()
        assert bare[..., :8, :].max() < 1e-5
        assert bare.amax((1, 2, 3)).min() > 0.2


def test_only_the_network_runs_in_half_precision(data: PoseData, tmp_path: Path) -> None:
    kinds = []

    def batch(*arguments: Any) -> Batch:
        kinds.append(("batch", torch.is_autocast_enabled("cpu")))
        return FACE_TASK.batch(*arguments)

    def forward(net: nn.Module, given: Batch) -> Layers:
        kinds.append(("network", torch.is_autocast_enabled("cpu")))
        return FACE_TASK.forward(net, given)

    task = dataclasses.replace(FACE_TASK, build=tiny_face, batch=batch, forward=forward)
    Trainer(task, _SETTINGS, tmp_path).train_step(data)
    assert kinds == [("batch", False), ("network", True)]
