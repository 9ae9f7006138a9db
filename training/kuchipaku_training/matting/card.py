"""The model card of the matting network, written from the reports."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from kuchipaku_contract.errors import FailedPreconditionError

_TEXT = """# Starter matting network

Tells an anime character from its background: an RGB picture in, the share of foreground at every
pixel out. It is the default of `RemoveBackground` and of pictures given with a background.

- Licence: Apache-2.0, weights and data. Nothing of third parties is in the training data.
- `matting.onnx`: float32 (n, 3, 320, 320), sRGB divided by the picture's maximum, less the ImageNet
  mean (0.485, 0.456, 0.406), over its deviation (0.229, 0.224, 0.225) -> `alpha` (n, 1, 320, 320),
  0..1. That is what rembg's `u2net_custom` session feeds, which loads the file as it is.
- The service draws the edge at full size by a guided filter and frees its colours of the
  background.

## Training
Characters of this repository's illustrator ({characters} for training, {variants} drawings of
each), laid over plain, gradient, noise, texture, room and landscape backgrounds; from full figures
to portraits, turned, stretched, bent, recoloured, blurred and made noisy in picture space; some
pictures hold two characters or none. {steps} steps, first at 160 pixels, then at 320; AdamW, bf16
on a CPU, averaged weights.{note} Train it again with `python -m kuchipaku_training.matting all`.

## Held-out figures
{pictures} pictures of each kind of {held} characters that training never saw, 512 pixels a side,
measured through the service's code: as the illustrator drew them, portrait to full figure, over
all the backgrounds; and with training's changes of style, which go as far as grey noise.

| figure | as drawn | restyled |
|---|---|---|
{table}

Size {size:.2f} MB (float16 weights, computed in float32), {milliseconds:.0f} ms on one CPU thread.
Largest difference to the trained network: {parity:.4f}.

![cutouts](cutouts.png)
Held-out pictures in threes: picture, cut-out, true foreground.

## Limits
- Trained on one artist, the illustrator of this repository, with changes of style in picture
  space. Photographs and painted art were never shown. For those use isnet-anime through rembg.
- Things that a character holds, and thin strands before a busy background, may be lost.
"""

_FIGURES = {
    "iou": "IoU at one half, mean",
    "iou_median": "the same, median",
    "iou_worst_tenth": "the same, worst tenth",
    "iou_network_alone": "network alone, without the guided edge",
    "iou_doing_nothing": "the whole picture taken as foreground",
    "mean_absolute_error": "mean absolute error of alpha",
    "edge_error": "the same within 3 pixels of the outline",
}


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise FailedPreconditionError(
            f"{path} is missing; run the evaluation first", reason="REPORT_MISSING"
        )
    report: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return report


def write_card(work: Path, folder: Path, note: str = "") -> None:
    """Write `MODEL_CARD.md` and its picture to `folder`.

    Raises FailedPreconditionError if a report is missing.
    """
    reports = work / "reports"
    held, export = _read(reports / "held_out.json"), _read(reports / "export.json")
    spec = _read(work / "data" / "train" / "spec.json")
    text = _TEXT.format(
        pictures=held["pictures"],
        table="\n".join(
            f"| {told} | {held['plain'][name]:.4f} | {held['restyled'][name]:.4f} |"
            for name, told in _FIGURES.items()
        ),
        characters=spec["characters"],
        variants=spec["variants"],
        held=held["characters"],
        steps=export["steps"],
        note=f" {note}" if note else "",
        size=export["bytes"] / 1e6,
        milliseconds=export["milliseconds"],
        parity=export["parity"],
    )
    (folder / "MODEL_CARD.md").write_text(text, "utf-8")
    shutil.copyfile(reports / "cutouts.png", folder / "cutouts.png")
