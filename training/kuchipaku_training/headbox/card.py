"""The model card of the head-box networks, written from the reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kuchipaku_contract.errors import FailedPreconditionError

_TEXT = """# Starter head-box networks

Two small networks that find the head of an anime character in a picture and judge its face, so
that the picture can be framed for animation and checked.

- Licence: Apache-2.0, weights and data. Nothing of third parties is in the training data.
- `finder.onnx`: RGB 0..1, sRGB, float32 (n, 3, 160, 160), the picture letterboxed on grey -> map
  (n, 6, 20, 20): heat (logit), offset of the centre in cells, logarithm of the side in cells, sine
  and cosine of the head's lean. Peaks are heads.
- `examiner.onnx`: an upright crop (n, 3, 128, 128) that shows 1.6 head sides -> 10 values: logits
  of head, eyes open, mouth open, brows visible; turn and nod (1 is about 16 degrees); corrections
  of the box. It runs twice per head.
- A head box is the square from crown to chin with its hair: 128 pixels on a canvas.

## Training
Characters of this repository's illustrator ({characters} for training, {variants} drawings of
each: poses, lids, mouths, covered brows, other line weights), laid over plain, gradient, noise,
texture, room and landscape backgrounds; scaled, shifted, turned, stretched, bent, recoloured,
blurred and made noisy in picture space. finder: {finder_steps} steps, examiner: {examiner_steps}
steps of 24 pictures; AdamW, bf16 on a CPU, averaged weights.{note}
Train them again with `python -m kuchipaku_training.headbox all`.

## Held-out figures
{pictures} pictures of {held} characters that training never saw, scaled, shifted, turned by up to
10 degrees, recoloured, over varied backgrounds, measured through the service's code:

- Head box: IoU >= {wanted} in **{reached:.1%}** of the pictures (mean {mean:.3f}, median
  {median:.3f}).

| verdict | right | of |
|---|---|---|
{rows}

Size {size:.2f} MB (float16 weights, computed in float32); finder {finder_ms:.1f} ms, examiner
{examiner_ms:.1f} ms on one CPU thread.

## Limits
- Trained on one artist, the illustrator of this repository, with changes of style in picture
  space. The two official talking-head-anime 4 characters are found and framed, alone and laid over
  backgrounds, but the narrow eyes of one of them get a low value (0.03), which the service tells as
  a warning. How other art fares has not been measured.
- Heads turned by more than about 20 degrees and heads seen from behind were never shown.
"""


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise FailedPreconditionError(
            f"{path} is missing; run the evaluation first", reason="REPORT_MISSING"
        )
    report: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return report


def write_card(work: Path, folder: Path, data: Path, note: str = "") -> None:
    """Write `MODEL_CARD.md` to `folder`. Raises FailedPreconditionError if a report is missing."""
    reports = work / "reports"
    held, export = _read(reports / "held_out.json"), _read(reports / "export.json")
    spec = _read(data / "train" / "spec.json")
    rows = "\n".join(
        f"| {name} | {row['share']:.1%} | {row['judged']} |"
        for name, row in held["verdicts"].items()
    )
    text = _TEXT.format(
        characters=spec["characters"],
        variants=spec["variants"],
        finder_steps=int(export["finder"]["steps"]),
        examiner_steps=int(export["examiner"]["steps"]),
        note=f" {note}" if note else "",
        pictures=held["pictures"],
        held=held["characters"],
        wanted=held["iou_wanted"],
        reached=held["iou_reached"],
        mean=held["iou_mean"],
        median=held["iou_median"],
        rows=rows,
        size=(export["finder"]["bytes"] + export["examiner"]["bytes"]) / 1e6,
        finder_ms=export["finder"]["milliseconds"],
        examiner_ms=export["examiner"]["milliseconds"],
    )
    (folder / "MODEL_CARD.md").write_text(text, "utf-8")
