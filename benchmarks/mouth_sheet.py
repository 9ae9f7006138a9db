"""The mouth of a spoken clip frame by frame, in both ways of moving it, to be looked at.

    python benchmarks/mouth_sheet.py CLIP -o SHEET.png [--text FILE] [--fps 25]
        [--start 0.4 --end 2.4] [--columns 16] [--seed 1] [--model models/starter/pose]

Each column is a frame. Rows: its time in seconds; the mouth with keyframes (`classic`); the mouth
with coarticulation (the default); the cue at that time, darker the louder it is, with a red letter
where it is closed; and how wide each of the two mouths is open, as bars (grey: classic).

Beside the sheet it says what a viewer would notice: closures that no frame shows, frames that are
open in a rest, the largest step from frame to frame.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from animation import closures, rests
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kuchipaku_animation import VOWEL_SLICE, AnimationOptions, MouthCue, MouthShape, animate
from kuchipaku_animation.options import MouthMode
from kuchipaku_imagegen import illustrator
from kuchipaku_lipsync.recognise import RecognitionOptions, recognise
from kuchipaku_media.audio import decode_audio
from kuchipaku_pose.engine import EngineMemory, EngineOptions, FrameRequest
from kuchipaku_pose.models import open_model
from kuchipaku_pose.settings import PoseSettings
from kuchipaku_pose.view import View

Picture = NDArray[np.uint8]

# The mouth of a character in the canvas of 512 pixels, with some face around it.
CROP = View(left=232, top=156, crop_width=48, crop_height=32, width=72, height=48)
MODES: tuple[MouthMode, ...] = ("classic", "coarticulated")
TIME_PX, CUE_PX, BARS_PX, GAP_PX = 11, 15, 22, 10
SHUT_COLOR, OLD_COLOR, NEW_COLOR = (190, 30, 30), (170, 170, 170), (60, 90, 170)


@dataclass(frozen=True)
class Strip:
    """One way of moving the mouth: pictures of all frames, and how wide each is open, 0..1."""

    pictures: list[Picture]
    vowels: NDArray[np.float64]

    @property
    def opening(self) -> NDArray[np.float64]:
        """Sum of the vowel weights of each frame."""
        result: NDArray[np.float64] = self.vowels.sum(axis=1)
        return result


def strips(
    cues: Sequence[MouthCue], duration_s: float, fps: float, folder: Path, seed: int
) -> list[Strip]:
    """The same cues in each of `MODES`, drawn by a pose model."""
    settings = PoseSettings()
    memory = EngineMemory.of_mib(
        characters=settings.character_memory_mib,
        stages=settings.stage_memory_mib,
        frames=settings.frame_memory_mib,
    )
    model = open_model(folder, EngineOptions(), memory)
    side = model.engine.canvas_side
    drawn = illustrator.render(illustrator.random_attributes(seed), size=side)
    character = model.engine.prepare("sheet", drawn)
    result = []
    for mode in MODES:
        options = AnimationOptions(fps=fps, mouth=mode, motion="none")
        track = animate(cues, (), duration_s, options)
        poses = model.engine.space.quantise(model.fit(track.poses), 0.0)
        requests = [FrameRequest(character, pose, CROP) for pose in poses]
        pictures = [model.engine.render([request])[0].pixels for request in requests]
        result.append(Strip(pictures, track.poses[:, VOWEL_SLICE].astype(np.float64)))
    return result


def sheet(
    cues: Sequence[MouthCue], shown: Sequence[Strip], frames: range, fps: float, columns: int
) -> Image.Image:
    """The frames in rows of `columns`."""
    row_px = TIME_PX + CROP.height * len(shown) + CUE_PX + BARS_PX + GAP_PX
    rows = -(-len(frames) // columns)
    image = Image.new("RGB", (columns * CROP.width, rows * row_px), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(10)
    for place, frame in enumerate(frames):
        left, top = place % columns * CROP.width, place // columns * row_px
        draw.text((left + 2, top - 1), f"{frame / fps:.2f}", fill=(120, 120, 120), font=font)
        top += TIME_PX
        for strip in shown:
            picture = Image.fromarray(strip.pictures[frame])
            image.paste(picture, (left, top), picture)
            top += CROP.height
        _draw_cue(draw, font, cues, frame / fps, (left, top))
        _draw_bars(draw, [strip.opening[frame] for strip in shown], (left, top + CUE_PX))
    return image


def _draw_cue(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    cues: Sequence[MouthCue],
    time: float,
    at: tuple[int, int],
) -> None:
    cue = next((cue for cue in cues if cue.start <= time < cue.end), None)
    if cue is None:
        return
    left, top = at
    shade = round(255 - 90 * cue.loudness)
    draw.rectangle((left, top, left + CROP.width - 1, top + CUE_PX - 2), fill=(shade, shade, 255))
    color = SHUT_COLOR if cue.shape is MouthShape.A else (0, 0, 0)
    draw.text((left + CROP.width // 2 - 3, top), str(cue.shape), fill=color, font=font)


def _draw_bars(draw: ImageDraw.ImageDraw, openings: Sequence[float], at: tuple[int, int]) -> None:
    left, top = at
    bottom = top + BARS_PX - 2
    width = CROP.width // 2 - 6
    for place, (opening, color) in enumerate(zip(openings, (OLD_COLOR, NEW_COLOR), strict=True)):
        x = left + 4 + place * (width + 4)
        height = round(min(opening, 1.0) * (BARS_PX - 3))
        draw.rectangle((x, bottom - height, x + width, bottom), fill=color)


def report(cues: Sequence[MouthCue], shown: Sequence[Strip], fps: float) -> None:
    """What a viewer would notice, of the whole clip."""
    print("| mouth | closures shown | open in rests | largest step |")
    print("|---|---|---|---|")
    for mode, strip in zip(MODES, shown, strict=True):
        closed = closures(cues, strip.opening, fps)
        resting = rests(cues, strip.opening, fps)
        step = np.abs(np.diff(strip.vowels, axis=0)).sum(axis=1).max()
        share = f"{np.mean(resting > 0.1):.0%}" if len(resting) else "-"
        print(f"| {mode} | {sum(closed)} of {len(closed)} | {share} | {step:.2f} |")


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--text", type=Path, help="file with the words that are said")
    parser.add_argument("--fps", type=float, default=25.0)
    parser.add_argument("--start", type=float, default=0.0, help="seconds")
    parser.add_argument("--end", type=float, default=float("inf"), help="seconds")
    parser.add_argument("--columns", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1, help="of the character")
    parser.add_argument("--model", type=Path, default=Path("models/starter/pose"))
    options = parser.parse_args()
    clip = decode_audio(options.clip.read_bytes())
    text = options.text.read_text() if options.text else ""
    cues = recognise(clip, RecognitionOptions(text=text)).cues
    shown = strips(cues, clip.duration_s, options.fps, options.model, options.seed)
    count = len(shown[0].pictures)
    frames = range(
        round(options.start * options.fps), min(round(min(options.end, 1e6) * options.fps), count)
    )
    drawn = sheet(cues, shown, frames, options.fps, options.columns)
    drawn.quantize(128).save(options.output, optimize=True)
    report(cues, shown, options.fps)
    print(f"{options.output}: {len(frames)} frames, {options.output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
