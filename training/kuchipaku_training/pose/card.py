"""The model card of the starter pose pack, written from the reports of evaluation and export."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_training.pose.dataset import open_data

_SHEETS = {
    "mouths": "Held-out characters, named poses: neutral, aaa, iii, uuu, eee, ooo, delta, aaa at "
    "one half, a smile with closed eyes, eyes shut, a look aside, anger.",
    "faces": "Held-out faces, in threes: source, network, truth.",
    "hands": "The same of held-out faces by other hands.",
    "heads": "Turned held-out heads at full size: network above, truth below.",
    "turns": "Turned held-out characters: source, network (the whole chain), truth.",
}

_INTRODUCTION = """# Starter pose model

Animates one picture of an anime character: 45 pose parameters with the names and ranges of Talking
Head Anime 3 and 4 in, a 512 x 512 RGBA frame out. It is small enough for one CPU core, is trained
from nothing by this repository, and is what the product runs where no other model is configured.

- Licence: Apache-2.0, weights and data. Nothing of third parties is in the training data.
- Canvas: 512 x 512, premultiplied RGBA, sRGB-encoded, 0..1; one upright character facing the
  viewer, the head roughly in rows 64:192, columns 192:320.
- Stages: `encoder` reads the canvas alone, and finds what lies behind eyes, brows and mouth, such
  as hair that hangs over them; `face` morphs the face crop (a flow field moves parts such as the
  irises, a first mask lays that bare face open where they have gone, a second one and colours
  repaint lids, brows and mouth); `flow` turns the neutral canvas by a flow field and fills what
  comes into sight; `compose` lays the change of the face over it. `flow` reads canvas and head
  slice alone, so a moving mouth costs `face` and `compose`.

## Training
Data: characters drawn by the illustrator of this repository ({characters} for training, seeds from
{first_seed}; {styled:.0%} of them by hands of other artists, as it imitates them: lines, eyes,
mouths, noses, brows, glasses, proportions), each with {faces} facial poses and {turns} turned ones;
drawn anew by the same command. Every batch is shifted by up to 24 px, half of them scaled by 0.86
to 1.2 and stretched; mirroring, colours, light, paper and focus are random. Train it again, from
drawing to export, with `make train-starter`.

Face network: {face_samples} pictures seen; rotator: {rotator_samples}. AdamW, bf16 on a CPU,
averaged weights.{note}

## Held-out figures
{held} characters that training never saw (seeds from {held_seed}). "Doing nothing" is the
untouched source picture against the truth; "changed" counts only the pixels that the pose changes;
sharpness is the gradient energy there relative to the truth's. PSNR in dB, over premultiplied RGBA.
"""

_LIMITS = """
## Limits
- Trained on drawings of one program, which imitates other artists' lines, eyes and mouths. Of other
  art `docs/models.md` has figures: eyes shut and mouths open, softer than here, and a
  mouth that is hardly drawn may stay shut. Photographs do not work.
- The head turns by about 15 degrees. What comes into sight behind a turning head is painted softly.
- Positions and sizes beyond the augmented range (24 px, 0.86 to 1.2) are not handled: fit the
  canvas first.
"""


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise FailedPreconditionError(
            f"{path} is missing; run the evaluation first", reason="REPORT_MISSING"
        )
    report: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return report


def _table(groups: dict[str, dict[str, float]]) -> str:
    lines = [
        "| group | pictures | PSNR | doing nothing | changed | doing nothing | SSIM "
        "| doing nothing | sharpness |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in groups.items():
        lines.append(
            f"| {name} | {row['pictures']:.0f} | **{row['psnr']:.2f}** "
            f"| {row['psnr_doing_nothing']:.2f} | {row['changed_psnr']:.2f} "
            f"| {row['changed_psnr_doing_nothing']:.2f} | {row['ssim']:.4f} "
            f"| {row['ssim_doing_nothing']:.4f} | {row['sharpness']:.2f} |"
        )
    return "\n".join(lines)


def _speed(export: dict[str, Any]) -> str:
    stages: dict[str, float] = export["milliseconds"]
    still = stages["face"] + stages["compose"]
    moving, halved = still + stages["flow"], still + stages["flow"] * 12 / 25
    rows = "\n".join(f"| {name} | {value:.1f} |" for name, value in stages.items())
    return (
        "\n## Speed and size\nonnxruntime on one CPU thread, CPU milliseconds for one frame:\n\n"
        f"| stage | ms |\n|---|---|\n{rows}\n\n"
        f"The encoder runs once per character. Frames per CPU-second: {1000 / still:.0f} while the "
        f"head is still, {1000 / moving:.0f} with a new head pose in every frame, "
        f"{1000 / halved:.0f} at 25 frames with 12 head poses a second. "
        f"Size {export['bytes'] / 1e6:.1f} MB (float16 weights, computed in float32). "
        f"Largest difference to the trained networks on a real picture: {export['parity']:.4f}.\n"
    )


def write_card(work: Path, folder: Path, note: str = "") -> None:
    """Write `MODEL_CARD.md` and its pictures to `folder` from the reports in `work`.

    `note` says what else is to be known of this training.

    Raises FailedPreconditionError if a report is missing.
    """
    reports = work / "reports"
    held, export = _read(reports / "held_out.json"), _read(reports / "export.json")
    train, test = open_data(work / "data" / "train"), open_data(work / "data" / "held")
    samples = {name: f"{seen:,}".replace(",", " ") for name, seen in held["seen"].items()}
    text = _INTRODUCTION.format(
        characters=len(train.ready),
        first_seed=train.spec.first_seed,
        styled=train.spec.styled,
        faces=train.spec.faces,
        turns=train.spec.turns,
        note=f" {note}" if note else "",
        face_samples=samples["face"],
        rotator_samples=samples["rotator"],
        held=held["characters"],
        held_seed=test.spec.first_seed,
    )
    text += "\nFace crop (192 x 192), by kind of pose:\n\n" + _table(held["face"])
    text += (
        f"\n\nThe same of {held['hands']} held-out characters, each drawn by a hand that training "
        "never saw:\n\n" + _table(held["styles"])
    )
    text += (
        "\n\nTurned frames (512 x 512): the rotator given the true expression, by kind of pose; "
        "`chain` is the whole model from the neutral canvas:\n\n" + _table(held["turn"])
    )
    text += "\n\nFace crop where the character stands elsewhere:\n\n" + _table(held["robustness"])
    mouths = held["mouths"]
    text += (
        f"\n\nMouth shapes: {mouths['recognised']} of {mouths['mouths']} drawn mouths (closed and "
        "six open ones) are nearer to their own true drawing than to any other of the same "
        f"character; the nearest wrong one is {mouths['margin']} times as far."
    )
    text += "\n\nZero pose, against the canvas itself:\n\n" + _table(held["rest"]) + "\n"
    text += _speed(export)
    for name, caption in _SHEETS.items():
        shutil.copyfile(reports / f"{name}.png", folder / f"{name}.png")
        text += f"\n![{name}]({name}.png)\n{caption}\n"
    (folder / "MODEL_CARD.md").write_text(text + _LIMITS, "utf-8")
