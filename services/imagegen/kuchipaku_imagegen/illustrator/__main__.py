"""Writes a contact sheet of characters and a sheet of poses as PNG files."""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from .sheets import character_sheet, pose_sheet


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m kuchipaku_imagegen.illustrator", description=__doc__
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder (default: out)")
    parser.add_argument("--seed", type=int, default=0, help="first seed (default: 0)")
    parser.add_argument("--count", type=int, default=48, help="characters (default: 48)")
    parser.add_argument(
        "--pose-seed", type=int, help="character of the sheet of poses (default: the first seed)"
    )
    options = parser.parse_args()
    if options.count < 1:
        parser.error("--count must be at least 1")
    options.out.mkdir(parents=True, exist_ok=True)
    seeds = range(options.seed, options.seed + options.count)
    Image.fromarray(character_sheet(seeds)).save(options.out / "characters.png")
    posed = options.seed if options.pose_seed is None else options.pose_seed
    Image.fromarray(pose_sheet(posed)).save(options.out / "poses.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
