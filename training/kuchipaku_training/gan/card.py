"""The model card of a generator, written from the reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from kuchipaku_contract.errors import FailedPreconditionError

#: Of the evaluation, beside the card.
SHEETS: Final = ("samples.jpg", "nearest.jpg")
_DESIGNS: Final = {
    "classic": "Five transposed convolutions (DCGAN) against two convolutions with dropout; binary "
    "cross-entropy for both, Adam.",
    "small": "A residual generator of codes (16 x 16 x 24: principal components of 8 x 8 patches) "
    "against a residual discriminator of codes, and a residual decoder from codes to pictures "
    "that learns from real faces. The generator starts as the decoding half of a variational "
    "autoencoder. Non-saturating binary cross-entropy, R1 "
    "penalty, differentiable augmentation, averaged weights.",
}

_TEXT: Final = """# GAN of faces: {architecture}

A generator of faces, 128 x 128 pixels, by seed alone: it takes no prompt.

- Licence: {license}
- `generator.onnx`: `latent` float32 (n, {latents}), standard normal -> `picture` float32
  (n, 3, 128, 128), RGB, -1..1. {size:.2f} MB (float16 weights, computed in float32),
  {milliseconds:.1f} ms of one CPU thread for a picture.
- Use: `kuchipaku imagine --model gan:generator.onnx --seed 1`.

![Drawn faces that training never saw above, generated ones below](samples.jpg)

[nearest.jpg](nearest.jpg): generated faces, each above the nearest one that was learned from.

## Training
{design}
{faces} faces were learned from, {held} held out{source}. {steps} steps of {batch} faces
({samples} in all), {minutes:.0f} minutes of CPU time, {precision}.
Train it again with `kuchipaku-train gan`.{note}

## Figures
{pictures} generated faces beside as many held-out ones. The distance is the Fréchet distance to
faces that were learned from, of these features: {extractor},
scaled to deviation 1. It is not the FID of Inception features, and compares only with figures
made in the same way. Blurred: by 1.5 pixels; noisy: by 40 of 255; noise: pictures of noise alone.

| | generated | held out | blurred | noisy | noise |
|---|---|---|---|---|---|
| Fréchet distance | **{distance:.1f}** | {real:.1f} | {blurred:.1f} | {noisy:.1f} | {noise:.1f} |
| diversity of features | {diversity:.2f} | 1 | | | |
| energy of edges | {edges:.2f} | 1 | | | |
| nearest learned face (RMS of 255) | {nearest:.1f} | {nearest_held:.1f} | | | |
| nearer than 99 % of held-out faces are | {copies:.1%} | 1.0% | | | |

ONNX and TensorFlow differ by {parity_max:.4f} at most, {parity_mean:.6f} on average (of -1..1).

## Limits
- Faces come as the data show them: their style, framing and background.
- 128 x 128 pixels: a still for a picture of a face, too small to be animated well.
"""


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise FailedPreconditionError(
            f"{path} is missing; run the evaluation first", reason="REPORT_MISSING"
        )
    report: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return report


def write_card(reports: Path, architecture: str, path: Path) -> None:
    """Write the card of an architecture. Raises FailedPreconditionError if a report is missing."""
    export = _read(reports / f"{architecture}-export.json")
    figures = _read(reports / f"{architecture}.json")
    note, source = export.get("note", ""), export.get("source", "")
    text = _TEXT.format(
        **{
            **figures,
            **export,
            "design": _DESIGNS[architecture],
            "size": export["bytes"] / 1e6,
            "minutes": export["seconds"] / 60,
            "note": f"\n{note}" if note else "",
            "source": f": {source}" if source else "",
        }
    )
    path.write_text(text, "utf-8")
