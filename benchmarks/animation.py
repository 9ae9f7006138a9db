"""Measure the mouth's movement: classic keyframes against the coarticulated mouth.

Usage: python benchmarks/animation.py [FOLDER]

Reads Rhubarb's JSON files of human and synthetic speech from FOLDER, by default
``data/speech/rhubarb_ptm/ps_nodialog`` of the folder that KUCHIPAKU_TEST_DATA names, and prints a
table in Markdown. ``exponential`` is the blend of Cohen and Massaro in its textbook form with the
targets and dominances of our own mouth map (theta 28/s outside the inner 60 % of a cue, 20 ms
lead): the reference that the coarticulated mouth has to beat.

Columns, all on the six vowel weights (0..1) of a frame:

jump    L1 distance between neighbouring frames, largest and 99th percentile
jerk    mean L1 norm of the third difference
closed  share of A cues (m, b, p) with a frame that opens by less than 0.1
rest    share of frames that open by more than 0.1 inside rests longer than 0.3 s, 0.1 s from
        their ends
reach   how much of its target a cue attains, mean over all open cues: smoothness by mumbling
        would show here
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kuchipaku_animation import (
    THA_MOUTH_MAP,
    VOWEL_SLICE,
    AnimationOptions,
    MouthCue,
    MouthShape,
    animate,
    frame_count,
)
from kuchipaku_animation.mouthmap import SHAPE_INDEX
from kuchipaku_animation.options import MouthMode
from kuchipaku_animation.poses import FloatArray

FRAME_RATES = (12.0, 24.0, 25.0, 30.0, 60.0)
SHUT = 0.1
MAP = THA_MOUTH_MAP.arrays()

Clip = tuple[Sequence[MouthCue], float]
Model = Callable[[Clip, float], FloatArray]


def load(path: Path) -> Clip:
    """Cues and duration of one of Rhubarb's JSON files."""
    data = json.loads(path.read_text())
    cues = [MouthCue(c["start"], c["end"], MouthShape(c["value"])) for c in data["mouthCues"]]
    return cues, float(data["metadata"]["duration"])


def product(mode: MouthMode) -> Model:
    """The product's own animation, reduced to the mouth."""

    def run(clip: Clip, fps: float) -> FloatArray:
        options = AnimationOptions(fps=fps, mouth=mode, motion="none")
        track = animate(clip[0], (), clip[1], options)
        return track.poses[:, VOWEL_SLICE].astype(np.float64)

    return run


def exponential(clip: Clip, fps: float) -> FloatArray:
    """Cohen-Massaro blending with exponential dominances of unlimited reach."""
    cues, duration = clip
    times = np.arange(frame_count(duration, fps)) / fps + 0.02
    total = np.zeros(len(times))
    blended = np.zeros((len(times), MAP.targets.shape[1]))
    for cue in cues:
        margin = 0.2 * (cue.end - cue.start)
        outside = np.maximum(cue.start + margin - times, times - (cue.end - margin))
        index = SHAPE_INDEX[cue.shape]
        dominance = MAP.dominance[index] * np.exp(-28.0 * np.maximum(outside, 0.0))
        total += dominance
        blended += dominance[:, None] * MAP.targets[index]
    return blended / total[:, None]


def closures(cues: Sequence[MouthCue], opening: FloatArray, fps: float) -> list[bool]:
    """For each closed cue whether a frame shows it."""
    times = np.arange(len(opening)) / fps
    spans = [(c.start - 0.5 / fps, c.end + 0.5 / fps) for c in cues if c.shape is MouthShape.A]
    frames = [opening[(times >= low) & (times <= high)] for low, high in spans]
    return [bool(shown.size) and float(shown.min()) < SHUT for shown in frames]


def rests(cues: Sequence[MouthCue], opening: FloatArray, fps: float) -> FloatArray:
    """Opening of the frames well inside long rests."""
    times = np.arange(len(opening)) / fps
    inside = np.zeros(len(opening), dtype=bool)
    for cue in cues:
        if cue.shape is MouthShape.X and cue.end - cue.start > 0.3:
            inside |= (times > cue.start + 0.1) & (times < cue.end - 0.1)
    return opening[inside]


def attained(
    cues: Sequence[MouthCue], vowels: FloatArray, targets: FloatArray, fps: float
) -> list[float]:
    """Share of its target that each open cue attains."""
    times = np.arange(len(vowels)) / fps
    shares = []
    for cue in cues:
        target = targets[SHAPE_INDEX[cue.shape]]
        frames = vowels[(times >= cue.start - 0.05) & (times <= cue.end + 0.02)]
        if target.any() and len(frames):
            shares.append(min(1.0, float((frames @ target).max() / (target @ target))))
    return shares


def row(clips: Sequence[Clip], model: Model, targets: FloatArray, fps: float) -> str:
    """The metrics of one model at one frame rate."""
    jumps, jerks, open_rest, closed, reach = [], [], [], [], []
    for clip in clips:
        vowels = model(clip, fps)
        opening = vowels.sum(axis=1)
        jumps.append(np.abs(np.diff(vowels, axis=0)).sum(axis=1))
        jerks.append(np.abs(np.diff(vowels, 3, axis=0)).sum(axis=1))
        closed += closures(clip[0], opening, fps)
        open_rest.append(rests(clip[0], opening, fps) > SHUT)
        reach += attained(clip[0], vowels, targets, fps)
    jump = np.concatenate(jumps)
    return (
        f"{jump.max():.2f} | {np.quantile(jump, 0.99):.2f} | {np.concatenate(jerks).mean():.3f} | "
        f"{np.mean(closed):.1%} | {np.concatenate(open_rest).mean():.1%} | {np.mean(reach):.2f}"
    )


def default_folder() -> Path | None:
    """The folder of the test data, if there is any."""
    root = os.environ.get("KUCHIPAKU_TEST_DATA")
    return Path(root) / "data/speech/rhubarb_ptm/ps_nodialog" if root else None


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=default_folder())
    folder = parser.parse_args().folder
    if folder is None:
        parser.error("give a folder of Rhubarb JSON files or set KUCHIPAKU_TEST_DATA")
    clips = [load(path) for path in sorted(folder.glob("[hs]*.json"))]
    if not clips:
        parser.error(f"no Rhubarb JSON files of speech (h*.json, s*.json) in {folder}")
    closed = sum(cue.shape is MouthShape.A for cues, _ in clips for cue in cues)
    print(f"{len(clips)} clips, {sum(d for _, d in clips):.0f} s, {closed} closures\n")
    print("| fps | mouth | jump max | jump p99 | jerk | closed | rest open | reach |")
    print("|---|---|---|---|---|---|---|---|")
    for fps in FRAME_RATES:
        print(f"| {fps:g} | classic | {row(clips, product('classic'), MAP.classic, fps)} |")
        print(f"| {fps:g} | exponential | {row(clips, exponential, MAP.targets, fps)} |")
        coarticulated = row(clips, product("coarticulated"), MAP.targets, fps)
        print(f"| {fps:g} | **coarticulated** | {coarticulated} |")
    cues = max(clips, key=lambda clip: clip[1])[0]
    begin = time.process_time()
    animate(cues, (), 60.0, AnimationOptions(fps=60.0))
    print(f"\n60 s at 60 fps, everything moving: {time.process_time() - begin:.3f} s CPU")


if __name__ == "__main__":
    main()
