"""Exported stages load as a pack and compute what the networks do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training tests need torch (install training)")

from rich.console import Console  # noqa: E402

from kuchipaku_contract.errors import FailedPreconditionError  # noqa: E402
from kuchipaku_pose.pack import load_pack  # noqa: E402
from kuchipaku_training.pose.__main__ import main  # noqa: E402
from kuchipaku_training.pose.dataset import PoseData  # noqa: E402
from kuchipaku_training.pose.evaluate import evaluate, held_canvases, load_networks  # noqa: E402
from kuchipaku_training.pose.export import (  # noqa: E402
    PackRunner,
    build_stages,
    check_parity,
    export_pack,
    write_manifest,
    write_stage,
)
from kuchipaku_training.pose.networks import FaceNetwork, RotatorNetwork  # noqa: E402
from kuchipaku_training.pose.tasks import TASKS  # noqa: E402
from kuchipaku_training.pose.train import Trainer, TrainSettings  # noqa: E402


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> Path:
    """Return a work folder with data and checkpoints of untrained networks."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "data").mkdir()
    for name in ("train", "held", "styles"):
        (folder / "data" / name).symlink_to(data_folder)
    for task in TASKS.values():
        Trainer(task, TrainSettings(steps=1), folder / "runs").save()
    return folder


def test_a_pack_computes_what_the_networks_do(data: PoseData, tmp_path: Path) -> None:
    torch.manual_seed(3)
    face, rotator = FaceNetwork().eval(), RotatorNetwork().eval()
    stages = build_stages(face, rotator)
    for stage in stages:
        write_stage(stage, tmp_path / f"{stage.name}.onnx")
    write_manifest(tmp_path, stages, "test")
    pack = load_pack(tmp_path)
    assert [stage.name for stage in pack.manifest.stages] == ["encoder", "face", "flow", "compose"]
    assert pack.nbytes < 8_000_000
    canvas = held_canvases(data, 0)[0].contiguous().numpy()
    poses = np.random.default_rng(0).uniform(0.0, 1.0, (3, 45)).astype(np.float32)
    runner = PackRunner(tmp_path)
    assert check_parity(runner, face, rotator, canvas, poses) < 0.005
    with pytest.raises(FailedPreconditionError, match="differ"):
        check_parity(runner, face, RotatorNetwork().eval(), canvas * 5.0, poses)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_evaluation_and_export_write_reports_and_a_card(work: Path, tmp_path: Path) -> None:
    console = Console(quiet=True)
    evaluate(work, console)
    export_pack(work, tmp_path, console)
    card = (tmp_path / "MODEL_CARD.md").read_text("utf-8")
    assert "doing nothing" in card
    for name in ("faces", "hands", "heads", "mouths", "turns"):
        assert (tmp_path / f"{name}.png").stat().st_size > 1000
    assert (work / "reports" / "held_out.json").exists()


def test_export_without_checkpoints_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FailedPreconditionError, match="train the face network first"):
        load_networks(tmp_path)
    assert main(["--work", str(tmp_path), "export"]) == 1
