"""Weights per frame as JSON or CSV."""

from __future__ import annotations

import csv
import io
import json

from kuchipaku_animation.weights import WeightTrack

_DECIMALS = 4


def weights_to_json(track: WeightTrack, *, name: str, sound_file: str = "") -> str:
    """One object: what it is, the names of the weights, and a row of weights per frame."""
    header = {
        "format": name,
        "soundFile": sound_file,
        "framesPerSecond": track.fps,
        "frameCount": len(track.times),
        "names": list(track.names),
    }
    rows = ",\n".join(
        f"    {json.dumps([round(float(value), _DECIMALS) for value in row])}"
        for row in track.weights
    )
    fields = ",\n".join(
        f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in header.items()
    )
    table = f"[\n{rows}\n  ]" if rows else "[]"
    return f'{{\n{fields},\n  "weights": {table}\n}}\n'


def weights_to_csv(track: WeightTrack) -> str:
    """A header with the names, then a line per frame: its time in seconds and the weights."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time", *track.names])
    for time, row in zip(track.times, track.weights, strict=True):
        writer.writerow([f"{time:.6f}", *(f"{value:.{_DECIMALS}f}" for value in row)])
    return text.getvalue()
