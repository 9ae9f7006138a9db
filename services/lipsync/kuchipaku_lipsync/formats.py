"""Cues in the file formats of Rhubarb Lip Sync (json, tsv, xml, and dat for Moho and OpenToonz).

Byte for byte what Rhubarb 1.14 writes (exporters/ of github.com/DanielSWolf/rhubarb-lip-sync),
so that plug-ins made for it read these files.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from kuchipaku_animation.cues import MouthCue, MouthShape

MIN_DAT_FPS = 24.0
MAX_DAT_FPS = 100.0

PRESTON_BLAIR_NAMES = {
    MouthShape.A: "MBP",
    MouthShape.B: "etc",
    MouthShape.C: "E",
    MouthShape.D: "AI",
    MouthShape.E: "O",
    MouthShape.F: "U",
    MouthShape.G: "FV",
    MouthShape.H: "L",
    MouthShape.X: "rest",
}

_JSON_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_XML_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}


class CueFormat(StrEnum):
    """A file format for cues."""

    JSON = "json"
    TSV = "tsv"
    XML = "xml"
    DAT = "dat"


def format_cues(
    cues: Sequence[MouthCue],
    duration: float,
    cue_format: CueFormat,
    *,
    sound_file: str = "",
    rest: MouthShape = MouthShape.X,
) -> str:
    """The cues as a file in `cue_format`.

    `cues` are contiguous over 0..`duration` seconds. `sound_file` is the absolute path of the
    audio (named by json and xml); `rest` is the shape of a mouth at rest (A where X is not used).
    """
    if cue_format is CueFormat.JSON:
        return to_json(cues, duration, sound_file=sound_file, rest=rest)
    if cue_format is CueFormat.TSV:
        return to_tsv(cues, duration, rest=rest)
    if cue_format is CueFormat.XML:
        return to_xml(cues, duration, sound_file=sound_file, rest=rest)
    return to_dat(cues, duration, rest=rest)


def to_json(
    cues: Sequence[MouthCue],
    duration: float,
    *,
    sound_file: str = "",
    rest: MouthShape = MouthShape.X,
) -> str:
    """Rhubarb's JSON."""
    rows = ",\n".join(
        f'    {{ "start": {_time(start)}, "end": {_time(end)}, "value": "{shape}" }}'
        for start, end, shape in _at_least_one(cues, duration, rest)
    )
    return (
        "{\n"
        '  "metadata": {\n'
        f'    "soundFile": "{_escaped_json(sound_file)}",\n'
        f'    "duration": {_time(_centiseconds(duration))}\n'
        "  },\n"
        '  "mouthCues": [\n'
        f"{rows}\n"
        "  ]\n"
        "}\n"
    )


def to_tsv(cues: Sequence[MouthCue], duration: float, *, rest: MouthShape = MouthShape.X) -> str:
    """One line for each start of a shape and one for the end of the clip."""
    lines = [f"{_time(start)}\t{shape}\n" for start, _, shape in _rows(cues, duration)]
    return "".join([*lines, f"{_time(_centiseconds(duration))}\t{rest}\n"])


def to_xml(
    cues: Sequence[MouthCue],
    duration: float,
    *,
    sound_file: str = "",
    rest: MouthShape = MouthShape.X,
) -> str:
    """Rhubarb's XML."""
    escaped = "".join(_XML_ESCAPES.get(char, char) for char in sound_file)
    sound = f"<soundFile>{escaped}</soundFile>" if sound_file else "<soundFile/>"
    rows = "".join(
        f'    <mouthCue start="{_time(start)}" end="{_time(end)}">{shape}</mouthCue>\n'
        for start, end, shape in _at_least_one(cues, duration, rest)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        "<rhubarbResult>\n"
        "  <metadata>\n"
        f"    {sound}\n"
        f"    <duration>{_time(_centiseconds(duration))}</duration>\n"
        "  </metadata>\n"
        "  <mouthCues>\n"
        f"{rows}"
        "  </mouthCues>\n"
        "</rhubarbResult>\n"
    )


def to_dat(
    cues: Sequence[MouthCue],
    duration: float,
    *,
    fps: float = 24.0,
    preston_blair: bool = False,
    rest: MouthShape = MouthShape.X,
) -> str:
    """Switch data of Moho: frames from 1 on. `preston_blair` writes its names for the shapes.

    Raises ValueError for a frame rate outside 24 to 100.
    """
    if not MIN_DAT_FPS <= fps <= MAX_DAT_FPS:
        raise ValueError(f"the frame rate must be between {MIN_DAT_FPS:g} and {MAX_DAT_FPS:g} fps")

    def name(shape: MouthShape) -> str:
        return PRESTON_BLAIR_NAMES[shape] if preston_blair else shape.value

    lines = ["MohoSwitch1"]
    last_frame = 0
    for start, _, shape in _rows(cues, duration):
        frame = _frame(start, fps)
        # Of several shapes within one frame the first is shown.
        if frame != last_frame:
            lines.append(f"{frame} {name(shape)}")
            last_frame = frame
    end_frame = _frame(_centiseconds(duration), fps)
    lines.append(f"{end_frame + (end_frame == last_frame)} {name(rest)}")
    return "\n".join(lines) + "\n"


_Row = tuple[int, int, MouthShape]


def _centiseconds(seconds: float) -> int:
    # A hair above the true value, so that 0.29 s, stored a little low, is 29 and not 28.
    return int(seconds * 100 + 1e-6)


def _rows(cues: Sequence[MouthCue], duration: float) -> list[_Row]:
    end = _centiseconds(duration)
    rows = [(round(cue.start * 100), min(round(cue.end * 100), end), cue.shape) for cue in cues]
    return [row for row in rows if row[0] < row[1]]


def _at_least_one(cues: Sequence[MouthCue], duration: float, rest: MouthShape) -> list[_Row]:
    return _rows(cues, duration) or [(0, 0, rest)]


def _time(centiseconds: int) -> str:
    return f"{centiseconds // 100}.{centiseconds % 100:02d}"


def _frame(centiseconds: int, fps: float) -> int:
    return 1 + int(fps * (centiseconds / 100))


def _escaped_json(text: str) -> str:
    units = []
    encoded = text.encode("utf-16-be", "surrogatepass")
    for index in range(0, len(encoded), 2):
        code = int.from_bytes(encoded[index : index + 2])
        char = chr(code)
        if char in _JSON_ESCAPES:
            units.append(_JSON_ESCAPES[char])
        elif code < 0x20 or code >= 0x80:
            units.append(f"\\u{code:04x}")
        else:
            units.append(char)
    return "".join(units)
