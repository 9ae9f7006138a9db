"""Held-out figures and comparison sheets of the trained networks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional

from kuchipaku_training.checkpoints import put_averaged
from kuchipaku_training.pose import metrics, sheets
from kuchipaku_training.pose.batches import to_tensor
from kuchipaku_training.pose.dataset import PoseData, open_data
from kuchipaku_training.pose.layout import (
    FACE_SIZE,
    HEAD_POSE_SIZE,
    WINDOW_COLUMNS,
    WINDOW_MARGIN,
    WINDOW_ROWS,
    WINDOW_SIZE,
)
from kuchipaku_training.pose.mouths import recognised_mouths
from kuchipaku_training.pose.networks import FaceNetwork, RotatorNetwork
from kuchipaku_training.pose.stages import render_frame
from kuchipaku_training.pose.tasks import TASKS, held_faces

#: Shifts in pixels (down, right) and scales under which the face network is measured.
ROBUSTNESS: tuple[tuple[str, int, int, float], ...] = (
    ("in place", 0, 0, 1.0),
    ("shift 4 px", 4, -4, 1.0),
    ("shift 8 px", -8, 8, 1.0),
    ("shift 16 px", 16, 16, 1.0),
    ("shift 24 px", -24, 24, 1.0),
    ("scale 0.86", 0, 0, 0.86),
    ("scale 1.15", 0, 0, 1.15),
)


def compare(picture: Tensor, source: Tensor, target: Tensor) -> list[list[float]]:
    """Measure each of the pictures (n, 4, h, w): the network's, the untouched one and the truth."""
    changed = metrics.changed_mask(source, target)
    columns = (
        metrics.psnr(picture, target),
        metrics.psnr(source, target),
        metrics.changed_psnr(source, picture, target),
        metrics.changed_psnr(source, source, target),
        metrics.ssim(picture, target),
        metrics.ssim(source, target),
        metrics.gradient_energy(picture, changed),
        metrics.gradient_energy(target, changed),
    )
    rows: list[list[float]] = torch.stack(columns, 1).tolist()
    return rows


@dataclass
class Tally:
    """Measures of one group of pictures, one row each."""

    rows: list[list[float]] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Return the means; `sharpness` is gradient energy relative to the truth's."""
        psnr, base, changed, changed_base, ssim, ssim_base, energy, truth = np.mean(self.rows, 0)
        return {
            "pictures": len(self.rows),
            "psnr": round(float(psnr), 2),
            "psnr_doing_nothing": round(float(base), 2),
            "changed_psnr": round(float(changed), 2),
            "changed_psnr_doing_nothing": round(float(changed_base), 2),
            "ssim": round(float(ssim), 4),
            "ssim_doing_nothing": round(float(ssim_base), 4),
            "sharpness": round(float(energy / max(truth, 1e-9)), 3),
        }


Groups = dict[str, Tally]


def _tally(groups: Groups, rows: list[list[float]], kinds: NDArray[np.generic]) -> None:
    groups["all"].rows.extend(rows)
    for row, kind in zip(rows, kinds, strict=True):
        groups.setdefault(str(kind), Tally()).rows.append(row)


def load_networks(work: Path) -> tuple[FaceNetwork, RotatorNetwork, dict[str, int]]:
    """Load the averaged weights of both checkpoints under `work`, and how many pictures each saw.

    Raises FailedPreconditionError if one is missing.
    """
    networks: list[nn.Module] = []
    seen: dict[str, int] = {}
    for name, task in TASKS.items():
        network = task.build()
        path = work / "runs" / f"{name}.pt"
        state = put_averaged(network, path, advice=f"train the {name} network first")
        networks.append(network.eval().requires_grad_(False))
        settings = state["settings"]
        seen[name] = int(state["step"]) * settings["characters"] * settings["poses"]
    face, rotator = networks
    assert isinstance(face, FaceNetwork)  # noqa: S101
    assert isinstance(rotator, RotatorNetwork)  # noqa: S101
    return face, rotator, seen


def measure_faces(face: FaceNetwork, data: PoseData, characters: Iterable[int]) -> Groups:
    """Measure the morphed crops by kind of pose, "all" included."""
    groups: Groups = {"all": Tally()}
    for character in characters:
        batch = held_faces(data, character)
        picture = face(batch.neutral, batch.pose).picture.clamp(0.0, 1.0)
        _tally(groups, compare(picture, batch.source, batch.target), data["face_kind"][character])
    return groups


def held_canvases(data: PoseData, character: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the neutral canvas (1, 4, 512, 512), those with expression and the turned (r, ...)."""
    neutral = to_tensor(np.asarray(data["neutral"][character][None]))
    faces = neutral.repeat(data.spec.turns, 1, 1, 1)
    windows = to_tensor(np.asarray(data["face"][character, : data.spec.turns]))
    faces[:, :, WINDOW_ROWS, WINDOW_COLUMNS] = windows
    return neutral, faces, to_tensor(np.asarray(data["turned"][character]))


def head_poses(data: PoseData, character: int, with_face: bool) -> Tensor:
    """Return the poses (r, 45) of the turned pictures, the facial part left out if asked."""
    face = np.array(data["face_pose"][character, : data.spec.turns])
    poses = np.concatenate([face * float(with_face), data["head_pose"][character]], 1)
    return torch.from_numpy(poses.astype(np.float32))


def measure_turns(
    face: FaceNetwork, rotator: RotatorNetwork, data: PoseData, characters: Iterable[int]
) -> Groups:
    """Measure full-size frames: the rotator alone by kind of pose (given the true expression),
    and the whole chain from the neutral canvas ("chain")."""
    groups: Groups = {"all": Tally(), "chain": Tally()}
    for character in characters:
        neutral, source, target = held_canvases(data, character)
        half = functional.avg_pool2d(neutral, 2)
        pose = torch.from_numpy(np.array(data["head_pose"][character]))
        picture = rotator(half, pose, source).picture.clamp(0.0, 1.0)
        _tally(groups, compare(picture, source, target), data["head_kind"][character])
        chain = render_frame(face, rotator, neutral, head_poses(data, character, with_face=True))
        untouched = neutral.expand(len(target), -1, -1, -1)
        groups["chain"].rows.extend(compare(chain.clamp(0.0, 1.0), untouched, target))
    return groups


def _moved_window(windows: Tensor, down: int, right: int, scale: float) -> Tensor:
    """Shift and scale face windows (n, 4, 256, 256) and cut the face crop."""
    if scale == 1.0:
        top, left = WINDOW_MARGIN - down, WINDOW_MARGIN - right
        return windows[..., top : top + FACE_SIZE, left : left + FACE_SIZE]
    ratio = FACE_SIZE / WINDOW_SIZE / scale
    theta = torch.tensor([[ratio, 0.0, 0.0], [0.0, ratio, 0.0]]).expand(len(windows), 2, 3)
    size = [len(windows), 4, FACE_SIZE, FACE_SIZE]
    grid = functional.affine_grid(theta, size, align_corners=False)
    return functional.grid_sample(windows, grid, align_corners=False)


def measure_robustness(face: FaceNetwork, data: PoseData, characters: Iterable[int]) -> Groups:
    """Measure the face network where source and truth are moved together."""
    groups: Groups = {}
    for character in characters:
        windows = np.concatenate(
            [data["neutral"][character][None, WINDOW_ROWS, WINDOW_COLUMNS], data["face"][character]]
        )
        pose = torch.from_numpy(np.array(data["face_pose"][character]))
        for name, down, right, scale in ROBUSTNESS:
            moved = _moved_window(to_tensor(windows), down, right, scale)
            picture = face(moved[:1], pose).picture.clamp(0.0, 1.0)
            source = moved[:1].expand(len(pose), -1, -1, -1)
            groups.setdefault(name, Tally()).rows.extend(compare(picture, source, moved[1:]))
    return groups


def measure_rest(
    face: FaceNetwork, rotator: RotatorNetwork, data: PoseData, characters: Iterable[int]
) -> Groups:
    """Measure how well the zero pose gives the canvas back."""
    tally = Tally()
    for character in characters:
        neutral = to_tensor(np.asarray(data["neutral"][character][None]))
        pose = torch.zeros(1, 39 + HEAD_POSE_SIZE)
        frame = render_frame(face, rotator, neutral, pose).clamp(0.0, 1.0)
        tally.rows.extend(compare(frame, neutral, neutral))
    return {"zero pose": tally}


def _print(title: str, groups: dict[str, dict[str, float]], console: Console) -> None:
    table = Table("group", *next(iter(groups.values())), title=title)
    for name, figures in groups.items():
        table.add_row(name, *(f"{value:g}" for value in figures.values()))
    console.print(table)


def evaluate(work: Path, console: Console, characters: int | None = None) -> None:
    """Measure the checkpoints in `work` on its held-out sets, or their first `characters`.

    Writes `reports/held_out.json` and comparison sheets beside it.
    Raises FailedPreconditionError if a checkpoint or a held-out set is missing.
    """
    face, rotator, seen = load_networks(work)
    data = open_data(work / "data" / "held")
    styles = open_data(work / "data" / "styles")
    by_others = [int(index) for index in styles.ready[:characters]]
    reports = work / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    ready = [int(index) for index in data.ready[:characters]]
    parts: dict[str, Callable[[list[int]], Groups]] = {
        "face": lambda some: measure_faces(face, data, some),
        "turn": lambda some: measure_turns(face, rotator, data, some),
        "styles": lambda _: measure_faces(face, styles, by_others),
        "robustness": lambda some: measure_robustness(face, data, some),
        "rest": lambda some: measure_rest(face, rotator, data, some[:8]),
    }
    results: dict[str, dict[str, dict[str, float]]] = {}
    with torch.inference_mode():
        for name, part in track(parts.items(), "measuring", console=console):
            results[name] = {group: tally.figures() for group, tally in part(ready).items()}
        mouths = recognised_mouths(face, data, ready[:12])
        sheets.write_sheets(face, rotator, data, ready, reports)
        sheets.face_sheet(face, styles, by_others[:16], reports / "hands.png")
    counts = {"characters": len(ready), "hands": len(by_others)}
    summary = {"seen": seen, **counts, "mouths": mouths, **results}
    (reports / "held_out.json").write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
    for name, groups in results.items():
        _print(name, groups, console)
    console.print(f"mouth shapes: {mouths}", highlight=False)
