from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_animation.cue_files import (
    PRESTON_BLAIR_NAMES,
    CueFormat,
    format_cues,
    to_dat,
    to_json,
    to_tsv,
    to_xml,
)
from kuchipaku_animation.cues import MouthCue, MouthShape
from kuchipaku_lipsync.rhubarb import animate_phones
from tests.lipsync.rhubarblog import read_runs

CUES = [
    MouthCue(0.0, 0.29, MouthShape.X, 0.0),
    MouthCue(0.29, 0.34, MouthShape.A),
    MouthCue(0.34, 1.0, MouthShape.D),
    MouthCue(1.0, 1.234, MouthShape.X),
]

JSON = """{
  "metadata": {
    "soundFile": "/voice/caf\\u00e9 \\"1\\".wav",
    "duration": 1.23
  },
  "mouthCues": [
    { "start": 0.00, "end": 0.29, "value": "X" },
    { "start": 0.29, "end": 0.34, "value": "A" },
    { "start": 0.34, "end": 1.00, "value": "D" },
    { "start": 1.00, "end": 1.23, "value": "X" }
  ]
}
"""

XML = """<?xml version="1.0" encoding="utf-8"?>
<rhubarbResult>
  <metadata>
    <soundFile>/voice/a &amp; b.wav</soundFile>
    <duration>1.23</duration>
  </metadata>
  <mouthCues>
    <mouthCue start="0.00" end="0.29">X</mouthCue>
    <mouthCue start="0.29" end="0.34">A</mouthCue>
    <mouthCue start="0.34" end="1.00">D</mouthCue>
    <mouthCue start="1.00" end="1.23">X</mouthCue>
  </mouthCues>
</rhubarbResult>
"""


def test_json() -> None:
    text = to_json(CUES, 1.234, sound_file='/voice/café "1".wav')
    assert text == JSON
    assert json.loads(text)["metadata"]["soundFile"] == '/voice/café "1".wav'


def test_tsv() -> None:
    text = format_cues(CUES, 1.234, CueFormat.TSV)
    assert text == "0.00\tX\n0.29\tA\n0.34\tD\n1.00\tX\n1.23\tX\n"


def test_xml() -> None:
    text = to_xml(CUES, 1.234, sound_file="/voice/a & b.wav")
    assert text == XML
    root = ET.fromstring(text)
    assert root.findtext("metadata/soundFile") == "/voice/a & b.wav"


def test_dat() -> None:
    # At 24 fps A and D both begin within frame 7 or 9; frames count from 1.
    assert to_dat(CUES, 1.234) == "MohoSwitch1\n7 A\n9 D\n25 X\n30 X\n".replace(
        "7 A", "1 X\n7 A", 1
    )


def test_dat_names_shapes_after_preston_blair() -> None:
    text = to_dat(CUES, 1.234, fps=25, preston_blair=True)
    assert text.splitlines()[1:] == ["1 rest", "8 MBP", "9 AI", "26 rest", "31 rest"]


@pytest.mark.parametrize("fps", [0, 23.9, 100.1])
def test_dat_refuses_frame_rates_that_moho_cannot_use(fps: float) -> None:
    with pytest.raises(ValueError, match="frame rate"):
        to_dat(CUES, 1.234, fps=fps)


def test_clip_of_no_length_has_one_rest_of_no_length() -> None:
    data = json.loads(format_cues([], 0.0, CueFormat.JSON))
    assert data["mouthCues"] == [{"start": 0.0, "end": 0.0, "value": "X"}]


def test_rest_is_a_where_the_character_has_no_x() -> None:
    assert format_cues(CUES, 1.234, CueFormat.TSV, rest=MouthShape.A).endswith("1.23\tA\n")


@st.composite
def cue_lists(draw: st.DrawFn) -> list[MouthCue]:
    """Contiguous cues in whole centiseconds whose neighbours differ."""
    cues: list[MouthCue] = []
    cursor = 0
    for length, shape in draw(
        st.lists(st.tuples(st.integers(1, 200), st.sampled_from(MouthShape)), min_size=1)
    ):
        if cues and cues[-1].shape is shape:
            continue
        cues.append(MouthCue(cursor / 100, (cursor + length) / 100, shape))
        cursor += length
    return cues


_Rows = list[tuple[float, float, str]]


def _rows(cues: list[MouthCue]) -> _Rows:
    return [(cue.start, cue.end, cue.shape.value) for cue in cues]


@given(cue_lists(), st.text(max_size=20))
def test_json_reads_back(cues: list[MouthCue], sound_file: str) -> None:
    data = json.loads(to_json(cues, cues[-1].end, sound_file=sound_file))
    assert data["metadata"] == {"soundFile": sound_file, "duration": cues[-1].end}
    read = [(cue["start"], cue["end"], cue["value"]) for cue in data["mouthCues"]]
    assert read == _rows(cues)


@given(cue_lists())
def test_tsv_reads_back(cues: list[MouthCue]) -> None:
    lines = [line.split("\t") for line in to_tsv(cues, cues[-1].end).splitlines()]
    starts = [float(time) for time, _ in lines]
    read = list(zip(starts[:-1], starts[1:], [shape for _, shape in lines[:-1]], strict=True))
    assert read == _rows(cues)
    assert lines[-1][1] == "X"


@given(
    cue_lists(), st.text(alphabet=st.characters(min_codepoint=32, exclude_categories=["Cs", "Cn"]))
)
def test_xml_reads_back(cues: list[MouthCue], sound_file: str) -> None:
    root = ET.fromstring(to_xml(cues, cues[-1].end, sound_file=sound_file))
    assert (root.findtext("metadata/soundFile") or "") == sound_file
    assert float(root.findtext("metadata/duration") or "nan") == cues[-1].end
    read = [
        (float(cue.attrib["start"]), float(cue.attrib["end"]), cue.text)
        for cue in root.iter("mouthCue")
    ]
    assert read == _rows(cues)


@given(cue_lists(), st.sampled_from([24.0, 25.0, 30.0, 60.0, 100.0]), st.booleans())
def test_dat_reads_back(cues: list[MouthCue], fps: float, preston_blair: bool) -> None:
    header, *lines = to_dat(cues, cues[-1].end, fps=fps, preston_blair=preston_blair).splitlines()
    assert header == "MohoSwitch1"
    letters = {name: shape.value for shape, name in PRESTON_BLAIR_NAMES.items()}
    switches = [
        (int(frame), letters[name] if preston_blair else name)
        for frame, name in (line.split() for line in lines)
    ]
    frames = [frame for frame, _ in switches]
    assert frames == sorted(set(frames))
    assert frames[0] == 1
    assert switches[-1][1] == "X"
    # Each switch is the first shape that begins within its frame.
    for frame, shape in switches[:-1]:
        beginning = [cue.shape for cue in cues if 1 + int(fps * round(cue.start, 2)) == frame]
        assert beginning[0].value == shape


def test_json_is_rhubarbs_byte_for_byte(speech_data: Path) -> None:
    for run in read_runs(speech_data / "rhubarb"):
        sound_file = json.loads(run.answer)["metadata"]["soundFile"]
        cues = [
            MouthCue(start / 100, end / 100, shape)
            for start, end, shape in animate_phones(run.phones, run.duration_cs)
        ]
        ours = to_json(cues, run.duration_cs / 100, sound_file=sound_file)
        assert ours == run.answer, run.name
