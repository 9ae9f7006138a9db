"""How far a pose model goes on characters that are not drawn by the illustrator.

Run from the root of the repository, with packs of talking-head-anime 4 students, which
`kuchipaku models import --family tha4-student` makes of the author's files::

    python benchmarks/pose_real_art.py --student PACK CHARACTER.png [--student ...]
        [--model models/starter/pose] [--sheet sheet.png] [--json FILE]

A student was distilled from the large networks for one character, which makes it the best known
answer to how that character looks in a pose. The model is given the student's own neutral frame
and compared with the student's other frames, on grey, over the face crop or the whole canvas.

"moves" is how much of the student's change the model makes: the share of the change, as a vector
of pixels, that the model's change has along it; 0 is nothing and 1 is all. "gain" is what the
model is better by than the untouched picture, in dB over the pixels that the student changes;
below 0 it is worse than doing nothing. "elsewhere" is the mean error, in levels of 255, over the
pixels of the crop that the student leaves alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kuchipaku_animation.poses import pose_from
from kuchipaku_pose.offline import OfflineRenderer, Subject

Picture = NDArray[np.uint8]
Values = NDArray[np.float64]

FACE = (slice(32, 224), slice(160, 352))
WHOLE = (slice(None), slice(None))
CHANGED = 0.03
GROUPS: Mapping[str, Sequence[Mapping[str, float]]] = {
    "eyes shut": ({"eye_wink": 1}, {"eye_happy_wink": 1}, {"eye_wink_left": 1}),
    "eyes half shut": ({"eye_wink": 0.5}, {"eye_relaxed": 1}, {"eye_unimpressed": 1}),
    "mouth open": (
        {"mouth_aaa": 1},
        {"mouth_ooo": 1},
        {"mouth_eee": 1},
        {"mouth_aaa": 0.5},
    ),
    "mouth narrow": ({"mouth_uuu": 1}, {"mouth_iii": 1}, {"mouth_ooo": 0.5}),
    "brows": ({"eyebrow_angry": 1}, {"eyebrow_raised": 1}, {"eyebrow_troubled": 1}),
    "irises": ({"iris_rotation_y": 0.8}, {"iris_rotation_x": -0.8}, {"eye_surprised": 1}),
    "head turned": ({"head_y": 0.7}, {"head_x": -0.7}, {"neck_z": 0.7}, {"body_y": 0.7}),
}
"""What is compared, by what moves."""


@dataclass
class Row:
    """Means over the poses of one group."""

    character: str
    group: str
    moves: float
    gain: float
    elsewhere: float


def on_grey(picture: Picture) -> Values:
    values = picture.astype(np.float64) / 255
    return values[..., :3] * values[..., 3:] + 0.5 * (1 - values[..., 3:])


def frames(renderer: OfflineRenderer, subject: Subject) -> tuple[Picture, dict[str, list[Picture]]]:
    """Return the neutral frame and those of each group."""
    flat = [pose_from(values) for group in GROUPS.values() for values in group]
    poses = renderer.space.check(np.stack([pose_from({}), *flat]), field="poses").poses
    shown = iter(list(renderer.pictures(subject, poses, renderer.view(subject))))
    neutral = next(shown)
    return neutral, {name: [next(shown) for _ in group] for name, group in GROUPS.items()}


def compare(neutral: Values, ours: Values, truth: Values) -> tuple[float, float, float]:
    """Return what the model moves, gains and disturbs in one frame."""
    wanted, made = truth - neutral, ours - neutral
    changed = np.abs(wanted).max(-1) > CHANGED
    moves = float((made * wanted).sum() / max((wanted**2).sum(), 1e-9))
    left = ((ours - truth)[changed] ** 2).mean() + 1e-10
    gain = float(10 * np.log10((wanted[changed] ** 2).mean() / left))
    return moves, gain, float(np.abs(ours - truth)[~changed].mean() * 255)


def measure(
    name: str, student: OfflineRenderer, canvas: Path, model: OfflineRenderer, scratch: Path
) -> tuple[list[Row], Picture]:
    """Compare a model with one student. Returns the figures and rows of pictures."""
    neutral, truths = frames(student, student.load_image(canvas))
    Image.fromarray(neutral).save(scratch)
    _, drawn = frames(model, model.load_image(scratch))
    rows, strips = [], [[neutral], [neutral]]
    for group, truth in truths.items():
        box = WHOLE if group == "head turned" else FACE
        found = [
            compare(on_grey(neutral)[box], on_grey(one)[box], on_grey(other)[box])
            for one, other in zip(drawn[group], truth, strict=True)
        ]
        rows.append(Row(name, group, *(round(float(x), 3) for x in np.mean(found, 0))))
        strips[0] += truth[:2]
        strips[1] += drawn[group][:2]
    return rows, np.concatenate([np.concatenate([p[FACE] for p in s], 1) for s in strips])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--student", nargs=2, type=Path, action="append", required=True, metavar=("PACK", "PICTURE")
    )
    parser.add_argument("--model", type=Path, default=Path("models/starter/pose"))
    parser.add_argument("--sheet", type=Path, help="PNG: the student's frames above the model's")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    model = OfflineRenderer(options.model, provider="cpu", workers=1)
    rows: list[Row] = []
    sheets: list[Picture] = []
    scratch = (options.sheet or options.json or Path("real_art.png")).with_suffix(".neutral.png")
    try:
        for pack, canvas in options.student:
            student = OfflineRenderer(pack, provider="cpu", workers=1)
            found, sheet = measure(pack.name, student, canvas, model, scratch)
            rows += found
            sheets.append(sheet)
    finally:
        scratch.unlink(missing_ok=True)
    print(f"{'character':<22}{'what':<16}{'moves':>7}{'gain dB':>9}{'elsewhere':>11}")
    for row in rows:
        print(
            f"{row.character:<22}{row.group:<16}{row.moves:7.2f}{row.gain:9.1f}{row.elsewhere:11.2f}"
        )
    if options.sheet:
        Image.fromarray(np.concatenate(sheets)).save(options.sheet)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))


if __name__ == "__main__":
    main()
