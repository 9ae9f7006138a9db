"""Held-out figures of the model, measured on the folder that users load, and sheets to look at."""

from __future__ import annotations

import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from torch import nn

from kuchipaku_contract.errors import KuchipakuError
from kuchipaku_imagegen.cutout import open_matting_models
from kuchipaku_imagegen.fitting import Fitter, Verdict
from kuchipaku_imagegen.framing import open_heads
from kuchipaku_imagegen.illustrator import Attributes
from kuchipaku_imagegen.prompts import AVOIDED, PLACE
from kuchipaku_training.diffusion import classifier, pipeline, traits
from kuchipaku_training.diffusion.captions import full_caption
from kuchipaku_training.diffusion.dataset import BustData, open_data
from kuchipaku_training.diffusion.pixels import psnr, to_tensor

Pictures = NDArray[np.uint8]

_SEED: Final = 70_000
_TINY: Final = 64
_SHEET: Final = 24
_COLUMNS: Final = 8
_GAP: Final = 6


def evaluate(work: Path, starter: Path, console: Console, count: int = 96) -> dict[str, Any]:
    """Measure on `count` held-out captions; write `reports/held_out.json` and sheets.

    `starter` is the folder of the starter networks that cut out and find heads. Raises
    FailedPreconditionError if a checkpoint or a data set is missing.
    """
    train, held = open_data(work / "data" / "train"), open_data(work / "data" / "held")
    judge = classifier.load_classifier(work)
    reports = work / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        pipeline.write_folder(pipeline.load_trained(work), Path(name))
        pipe = pipeline.open_folder(Path(name))
    chosen = held.ready[:count]
    shown, truth = [held.attributes(int(index)) for index in chosen], held.colours(chosen)
    usual, seconds = _drawn(pipe, [full_caption(one) for one in shown], "")
    free, _ = _drawn(pipe, _free_captions(shown), AVOIDED.replace(PLACE, "").strip(" ,"))
    rebuilt = _rebuilt(pipe, truth)
    report: dict[str, Any] = {
        "captions": len(shown),
        "training_pictures": len(train.ready),
        "steps": pipeline.STEP_COUNT,
        "guidance": pipeline.GUIDANCE_SCALE,
        "cpu_seconds_per_picture": round(seconds / len(shown), 2),
        "autoencoder_psnr": round(psnr(to_tensor(rebuilt), to_tensor(truth)), 2),
        "agreement": _agreements(judge, shown, truth, rebuilt, usual, free),
        "chance": _chance(judge, shown, usual),
        "copies": copies(usual, truth, train),
        "fitted": _fitted(usual, starter),
    }
    (reports / "held_out.json").write_text(json.dumps(report, indent=2), "utf-8")
    _save_sheets(reports, truth, usual, free)
    console.print(report)
    return report


def _drawn(pipe: Any, captions: list[str], negative: str) -> tuple[Pictures, float]:
    """Pictures of captions, and the CPU seconds that they took."""
    started = time.process_time()
    pictures = pipeline.draw(pipe, captions, _SEED, negative)
    return pictures, time.process_time() - started


def _free_captions(shown: list[Attributes]) -> list[str]:
    rng = random.Random(_SEED)  # noqa: S311 - reproducible, not secret
    return [full_caption(one, rng) for one in shown]


def _rebuilt(pipe: Any, pictures: Pictures) -> Pictures:
    """Pictures through the autoencoder and back."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(pictures), _COLUMNS):
            latents = pipe.vae.encode(to_tensor(pictures[start : start + _COLUMNS])).latents
            parts.append(pipe.vae.decode(latents).sample.permute(0, 2, 3, 1).numpy())
    whole = np.concatenate(parts) * 0.5 + 0.5
    return np.rint(np.clip(whole, 0, 1) * 255).astype(np.uint8)


def _agreements(
    judge: nn.Module, shown: list[Attributes], *kinds: Pictures
) -> dict[str, dict[str, float]]:
    names = ("drawings", "rebuilt drawings", "usual words", "free words")
    return {
        name: _rounded(traits.agreement(classifier.classify(judge, pictures), shown))
        for name, pictures in zip(names, kinds, strict=True)
    }


def _chance(judge: nn.Module, shown: list[Attributes], pictures: Pictures) -> dict[str, float]:
    """Agreement with captions of other pictures: what a model reaches that does not listen."""
    others = [*shown[1:], shown[0]]
    return _rounded(traits.agreement(classifier.classify(judge, pictures), others))


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def copies(drawn: Pictures, unseen: Pictures, train: BustData) -> dict[str, float]:
    """How near pictures are to the nearest training picture or its mirror image.

    Root mean square differences at 64 x 64 pixels, of 255. Copies would be much nearer than
    drawings that training has not seen, which are given beside.
    """
    known = np.concatenate([_tiny(train.colours(part)) for part in _parts(train.ready)])
    known = np.concatenate([known, known[:, :, ::-1]]).reshape(2 * len(known), -1)
    near = [_nearest(_tiny(pictures), known) for pictures in (drawn, unseen)]
    return {
        "drawn_mean": round(float(near[0].mean()), 2),
        "drawn_least": round(float(near[0].min()), 2),
        "unseen_mean": round(float(near[1].mean()), 2),
        "unseen_least": round(float(near[1].min()), 2),
    }


def _parts(indices: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [indices[start : start + 100] for start in range(0, len(indices), 100)]


def _tiny(pictures: Pictures) -> NDArray[np.float32]:
    step = pictures.shape[1] // _TINY
    blocks = pictures.reshape(len(pictures), _TINY, step, _TINY, step, 3)
    return blocks.mean((2, 4), dtype=np.float32)


def _nearest(pictures: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = pictures.reshape(len(pictures), -1)
    square = (flat**2).sum(1)[:, None] + (known**2).sum(1)[None] - 2 * flat @ known.T
    return np.sqrt(np.maximum(square.min(1), 0) / flat.shape[1])


def _fitted(pictures: Pictures, starter: Path) -> dict[str, float]:
    """Shares of pictures that the service makes canvases of, and in which no check fails."""
    matting = open_matting_models(starter / "matting", rembg_folder=None)
    fitter = Fitter(open_heads(starter / "headbox"), matting)
    canvases = faultless = 0
    for picture in pictures[:_SHEET]:
        opaque = np.full((*picture.shape[:2], 1), 255, np.uint8)
        try:
            fit = fitter.fit(np.concatenate([picture, opaque], 2))
        except KuchipakuError:
            continue
        canvases += 1
        faultless += all(check.verdict is not Verdict.FAIL for check in fit.checks)
    of = len(pictures[:_SHEET])
    return {"pictures": of, "canvases": canvases / of, "no_check_fails": faultless / of}


def _save_sheets(reports: Path, truth: Pictures, usual: Pictures, free: Pictures) -> None:
    """Rows in pairs: what the illustrator draws, and below it the model for the same caption."""
    for name, drawn in (("obedience", usual), ("free_words", free)):
        rows = []
        for start in range(0, min(_SHEET, len(drawn)), _COLUMNS):
            rows += [_row(kind[start : start + _COLUMNS]) for kind in (truth, drawn)]
        sheet = Image.fromarray(np.concatenate(rows))
        sheet.save(reports / f"{name}.png", optimize=True)


def _row(pictures: Pictures) -> Pictures:
    padded = np.pad(pictures, ((0, 0), (0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
    return np.concatenate(list(padded), 1)
