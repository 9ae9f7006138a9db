"""What each frame encoding costs: CPU time and bytes per frame of a talking character.

Run from the root of the repository::

    python benchmarks/frames.py [--model models/starter/pose] [--image FILE] [--json FILE]

The frames are those that the service would send: a drawn character that speaks, at 25 frames a
second. Coding and decoding run on one thread; times are CPU times of the process, the best of
five passes: other work on the machine only ever adds to them. Frames that are references cost
nothing and count in the averages.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import zstandard

from kuchipaku.frames import CodedFrame, FrameDecoder, FrameEncoder, FrameEncoding, Rgba
from kuchipaku_animation import AnimationOptions, MouthCue, MouthShape, animate
from kuchipaku_animation.options import MotionMode
from kuchipaku_imagegen import illustrator
from kuchipaku_media.picture import decode_picture
from kuchipaku_pose.engine import EngineMemory, EngineOptions, FrameRequest, RenderedFrame
from kuchipaku_pose.models import open_model
from kuchipaku_pose.settings import PoseSettings
from kuchipaku_pose.view import make_view
from kuchipaku_runtime.allocator import AllocatorOptions, tune_allocator

NODE_SCRIPT = Path(__file__).with_name("decode_frames.mjs")
PASSES = 5
WINDOWS_MIB = (0, 16, 64, 256)


@dataclass(frozen=True)
class Coding:
    """One way of coding."""

    name: str
    encoding: FrameEncoding
    options: dict[str, int] = field(default_factory=dict)
    in_javascript: bool = False
    """Whether the JavaScript decoder does it alone, without the browser's."""


CODINGS = (
    Coding("RAW", FrameEncoding.RAW, in_javascript=True),
    Coding("DELTA_ZSTD", FrameEncoding.DELTA_ZSTD, in_javascript=True),
    *(
        Coding(f"DELTA_ZSTD, dead band {band}", FrameEncoding.DELTA_ZSTD, {"dead_band": band}, True)
        for band in (1, 2, 4, 8)
    ),
    Coding("PNG", FrameEncoding.PNG, in_javascript=True),
    Coding("WEBP", FrameEncoding.WEBP),
    Coding("WEBP, quality 85", FrameEncoding.WEBP, {"quality": 85}),
    Coding("JPEG_ALPHA, quality 85", FrameEncoding.JPEG_ALPHA),
)


@dataclass(frozen=True)
class Row:
    """One line of the table, per frame."""

    coding: str
    encode_ms: float
    decode_ms: float
    javascript_ms: float | None
    kilobytes: float
    largest_kilobytes: float
    references: float
    """Share of frames that were references."""
    largest_error: int
    """Of any channel where alpha is not 0, in levels."""
    psnr_db: float | None
    """On white; None where there is no error."""


def speech(seconds: float, seed: int = 5) -> list[MouthCue]:
    """Return cues that change as often as speech does, with pauses."""
    rng = np.random.default_rng(seed)
    weights = np.array([8, 30, 18, 9, 9, 8, 4, 3, 11], float)
    cues, at = [], 0.0
    while at < seconds:
        shape = MouthShape(rng.choice(list("ABCDEFGHX"), p=weights / weights.sum()))
        length = float(rng.uniform(0.2, 0.5) if shape == "X" else rng.uniform(0.06, 0.2))
        cues.append(MouthCue(at, min(at + length, seconds), shape, float(rng.uniform(0.5, 1))))
        at += length
    return [cue for cue in cues if cue.end > cue.start]


def film(
    folder: Path, picture: Rgba | None, side: int, seconds: float, motion: MotionMode
) -> list[RenderedFrame]:
    """Return the frames of a character that speaks."""
    memory = EngineMemory.of_mib(characters=64, stages=256, frames=64)
    model = open_model(folder, EngineOptions(), memory)
    engine = model.engine
    if picture is None:
        picture = illustrator.render(illustrator.random_attributes(1), size=engine.canvas_side)
    character = engine.prepare("bench", picture)
    options = AnimationOptions(motion=motion, seed=7, quantum=1 / 128)
    poses = animate(speech(seconds), duration_s=seconds, options=options).poses
    view = make_view(engine.canvas_side, width=side)
    fitted = engine.space.quantise(model.fit(poses), 0.0)
    return [engine.render([FrameRequest(character, pose, view)])[0] for pose in fitted]


def encode(coding: Coding, frames: Sequence[Rgba]) -> tuple[list[CodedFrame], float]:
    """Return the coded frames and the seconds that it took."""
    height, width, _ = frames[0].shape
    encoder = FrameEncoder(coding.encoding, width, height, **coding.options)
    started = time.process_time()
    coded = [encoder.encode(frame) for frame in frames]
    return coded, time.process_time() - started


def decode(
    coding: Coding, coded: Sequence[CodedFrame], size: tuple[int, int]
) -> tuple[list[Rgba], float]:
    """Return the decoded frames and the seconds that it took."""
    decoder = FrameDecoder(coding.encoding, *size)
    decoder.enter_epoch(0)
    started = time.process_time()
    shown = [decoder.decode(frame) for frame in coded]
    return shown, time.process_time() - started


def measure(coding: Coding, frames: Sequence[Rgba]) -> Row:
    """Code and decode ``frames`` and return the line."""
    height, width, _ = frames[0].shape
    encoding, decoding = [], []
    # The first pass finds no memory that is ready to be used.
    encode(coding, frames)
    for _ in range(PASSES):
        coded, seconds = encode(coding, frames)
        encoding.append(seconds)
        shown, seconds = decode(coding, coded, (width, height))
        decoding.append(seconds)
    sizes = [frame.size_bytes for frame in coded]
    largest, psnr = quality(frames, shown)
    count = len(frames)
    javascript = in_javascript(coding, coded, (width, height)) if coding.in_javascript else None
    return Row(
        coding.name,
        min(encoding) / count * 1e3,
        min(decoding) / count * 1e3,
        javascript,
        sum(sizes) / count / 1e3,
        max(sizes) / 1e3,
        sum(frame.same_as_frame_id is not None for frame in coded) / count,
        largest,
        psnr,
    )


@dataclass(frozen=True)
class WindowRow:
    """What a reference window saves in DELTA_ZSTD."""

    window_mib: int
    references: float
    """Share of frames that were references."""
    kilobytes: float
    """Per frame."""
    other_base_kilobytes: float | None = None
    """Per frame, if each delta were to the picture in the window that it is smallest to."""


def windows(frames: Sequence[RenderedFrame], sizes_mib: Sequence[int]) -> Iterator[WindowRow]:
    """Yield what windows save where frames are known by what they show, as in the service."""
    height, width, _ = frames[0].pixels.shape
    for size in sizes_mib:
        encoder = FrameEncoder(
            FrameEncoding.DELTA_ZSTD, width, height, reference_window_bytes=size << 20
        )
        coded = [encoder.encode(frame.pixels, frame.key) for frame in frames]
        count = len(coded)
        yield WindowRow(
            size,
            sum(frame.same_as_frame_id is not None for frame in coded) / count,
            sum(frame.size_bytes for frame in coded) / count / 1e3,
            nearest_bases(frames, coded) if size else None,
        )


def nearest_bases(frames: Sequence[RenderedFrame], coded: Sequence[CodedFrame]) -> float:
    """Return kB per frame with, for each delta, the best of the last 32 pictures as its base."""
    compress = zstandard.ZstdCompressor(level=1).compress
    total = 0
    for i, frame in enumerate(coded):
        if frame.base_frame_id is None:
            total += frame.size_bytes
            continue
        pixels = frames[i].pixels
        bases = [earlier.pixels for earlier in frames[max(0, i - 32) : i]]
        changed = [int(np.count_nonzero(pixels != base)) for base in bases]
        base = bases[int(np.argmin(changed))]
        total += min(frame.size_bytes, len(compress((pixels - base).data)))
    return total / len(coded) / 1e3


def quality(frames: Sequence[Rgba], shown: Sequence[Rgba]) -> tuple[int, float | None]:
    """Return the largest error of a visible channel and the PSNR on white."""
    largest, squares, count = 0, 0.0, 0
    for frame, decoded in zip(frames, shown, strict=True):
        if np.array_equal(frame, decoded):
            count += frame[..., :3].size
            continue
        seen = frame[..., 3] > 0
        error = np.abs(frame[seen].astype(np.int16) - decoded[seen])
        largest = max(largest, int(error.max()))
        difference = on_white(frame) - on_white(decoded)
        squares += float((difference**2).sum())
        count += difference.size
    return largest, 10 * float(np.log10(255**2 * count / squares)) if squares else None


def on_white(pixels: Rgba) -> np.ndarray:
    alpha = pixels[..., 3:].astype(np.float32) / 255
    return pixels[..., :3] * alpha + 255 * (1 - alpha)


def in_javascript(
    coding: Coding, coded: Sequence[CodedFrame], size: tuple[int, int]
) -> float | None:
    """Return CPU milliseconds per frame of the JavaScript decoder; None without Node."""
    node = shutil.which("node")
    if node is None:
        return None
    stream = {
        "encoding": str(coding.encoding),
        "width": size[0],
        "height": size[1],
        "frames": [
            {
                "frameId": frame.frame_id,
                "baseFrameId": frame.base_frame_id,
                "sameAsFrameId": frame.same_as_frame_id,
                "data": None if frame.data is None else base64.b64encode(frame.data).decode(),
            }
            for frame in coded
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stream.json"
        file.write_text(json.dumps(stream), encoding="utf-8")
        command = [node, str(NODE_SCRIPT), str(file), str(PASSES)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return None
    return float(done.stdout)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield ``rows`` as Markdown."""
    yield (
        "| encoding | encode ms | decode ms | JS decode ms | kB per frame | largest kB "
        "| references | largest error | PSNR dB |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    for row in rows:
        script = "" if row.javascript_ms is None else f"{row.javascript_ms:.2f}"
        psnr = "exact" if row.psnr_db is None else f"{row.psnr_db:.1f}"
        # Where alpha is low a picture codec may be far off without anybody seeing it.
        largest = "" if row.coding.startswith(("WEBP,", "JPEG")) else str(row.largest_error)
        yield (
            f"| {row.coding} | {row.encode_ms:.2f} | {row.decode_ms:.2f} | {script} "
            f"| {row.kilobytes:.1f} | {row.largest_kilobytes:.0f} | {row.references:.0%} "
            f"| {largest} | {psnr} |"
        )


def window_table(rows: Sequence[WindowRow]) -> Iterator[str]:
    """Yield ``rows`` as Markdown."""
    yield "| window MiB | references | kB per frame | saved | kB with the nearest base |"
    yield "|--:|--:|--:|--:|--:|"
    for row in rows:
        saved = 1 - row.kilobytes / rows[0].kilobytes
        other = "" if row.other_base_kilobytes is None else f"{row.other_base_kilobytes:.1f}"
        yield (
            f"| {row.window_mib} | {row.references:.0%} | {row.kilobytes:.1f} "
            f"| {saved:.0%} | {other} |"
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=Path("models/starter/pose"))
    parser.add_argument("--image", type=Path, help="a canvas in place of the drawn character")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--long", type=float, default=12.0, help="seconds, for the windows")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    # As services do: otherwise each picture's memory is mapped and cleared anew.
    service = PoseSettings()
    tune_allocator(
        AllocatorOptions(
            service.malloc_mmap_threshold_mib,
            service.malloc_trim_threshold_mib,
            service.malloc_top_pad_mib,
            service.malloc_arenas,
        )
    )
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, one thread")
    picture = None if arguments.image is None else decode_picture(arguments.image.read_bytes())
    found: dict[str, list[Row]] = {}
    motions: tuple[MotionMode, ...] = ("full", "none")
    for side in (512, 256):
        for motion in motions:
            frames = film(arguments.model, picture, side, arguments.seconds, motion)
            name = f"{side}x{side}, motion {motion}, {len(frames)} frames"
            pictures = [frame.pixels for frame in frames]
            rows = found[name] = [measure(coding, pictures) for coding in CODINGS]
            print(f"\n{name}\n", *table(rows), sep="\n")
    saved: dict[str, list[WindowRow]] = {}
    for motion in motions:
        frames = film(arguments.model, picture, 512, arguments.long, motion)
        name = f"DELTA_ZSTD, 512x512, motion {motion}, {len(frames)} frames"
        saved[name] = list(windows(frames, WINDOWS_MIB))
        print(f"\n{name}\n", *window_table(saved[name]), sep="\n")
    if arguments.json:
        content = {name: [asdict(row) for row in rows] for name, rows in (found | saved).items()}
        arguments.json.write_text(json.dumps(content, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
