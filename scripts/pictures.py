"""Make the pictures of the documentation with the product itself.

Usage: python scripts/pictures.py

Writes docs/images/hello.png (frames of the demonstration at some of its cues), and
docs/images/characters.jpg and docs/images/poses.jpg (drawings of the illustrator).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
PROMPT = "girl, long silver hair, violet eyes, blunt bangs, hair ribbon, navy sailor uniform"
SEED = "17"
POSE_SEED = "43"
SHAPES = "XADEFC"
TILE = 288
FPS = 50
INK = (74, 66, 92)


def run(*arguments: str) -> None:
    """Run the command line of this checkout."""
    subprocess.run([sys.executable, "-m", "kuchipaku", *arguments], cwd=ROOT, check=True)


def longest_cues(cues: list[dict[str, object]]) -> dict[str, float]:
    """The middle of the longest cue of each shape, in seconds."""
    best: dict[str, tuple[float, float]] = {}
    for cue in cues:
        start, end = float(str(cue["start"])), float(str(cue["end"]))
        shape = str(cue["value"])
        if end - start > best.get(shape, (0.0, 0.0))[0]:
            best[shape] = (end - start, (start + end) / 2)
    return {shape: middle for shape, (_, middle) in best.items()}


def sheet(frames: Path, moments: dict[str, float]) -> Image.Image:
    """The frames nearest to the moments, side by side, each with its shape's letter."""
    shown = [(shape, moments[shape]) for shape in SHAPES if shape in moments]
    picture = Image.new("RGB", (TILE * len(shown), TILE), (229, 233, 246))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(22)
    for index, (shape, moment) in enumerate(shown):
        frame = Image.open(frames / f"frame_{round(moment * FPS):05d}.png")
        tile = frame.resize((TILE, TILE), Image.Resampling.LANCZOS)
        picture.paste(tile, (index * TILE, 0), tile)
        draw.text((index * TILE + 14, 10), f"{shape}  {moment:.2f} s", INK, font)
    return picture


def save_drawings(folder: Path) -> None:
    """The illustrator's sheets of characters and poses, at half their size."""
    command = [sys.executable, "-m", "kuchipaku_imagegen.illustrator", "--out", str(folder)]
    subprocess.run([*command, "--pose-seed", POSE_SEED], check=True)
    for name in ("characters", "poses"):
        with Image.open(folder / f"{name}.png") as full:
            half = (full.width // 2, full.height // 2)
            small = full.convert("RGB").resize(half, Image.Resampling.LANCZOS)
        small.save(IMAGES / f"{name}.jpg", quality=84)


def main() -> None:
    """Make all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    hello = ["--text", "examples/hello.txt"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run("lipsync", "examples/hello.wav", *hello, "-o", str(folder / "cues.json"))
        run(
            *("speak", "--standalone", "--prompt", PROMPT, "--seed", SEED, "--expression", "happy"),
            *("--audio", "examples/hello.wav", *hello, "--fps", str(FPS), "--motion", "head"),
            *("-o", str(folder / "frames")),
        )
        cues = json.loads((folder / "cues.json").read_text(encoding="utf-8"))["mouthCues"]
        sheet(folder / "frames", longest_cues(cues)).save(IMAGES / "hello.png", optimize=True)
        save_drawings(folder)


if __name__ == "__main__":
    main()
