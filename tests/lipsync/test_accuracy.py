"""Floors under the accuracy that `benchmarks/lipsync.py` measures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kuchipaku_animation.cues import MouthCue
from kuchipaku_lipsync.recognise import RecognitionOptions, Recognizers, recognise
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_media.audio import decode_audio
from tests.lipsync.rhubarblog import frames_of

TRUTH_CLIPS = ("s04_flite_slt", "s06_flite_awb")
NATIVE_CLIPS = ("h01_librivox_0870", "h03_librivox_0890", "h07_jfk", *TRUTH_CLIPS)


def _frames(cues: list[MouthCue]) -> str:
    return "".join(cue.shape * round(cue.end * 100 - cue.start * 100) for cue in cues)


def _agreement(
    folder: Path,
    recognizers: Recognizers,
    options: RecognitionOptions,
    references: dict[str, str],
    text: bool = False,
) -> float:
    """Share of 10 ms frames with the same shape, over all clips."""
    same = total = 0
    for clip, reference in references.items():
        if text:
            spoken = (folder / "txt" / f"{clip}.txt").read_text()
            options = RecognitionOptions(options.recognizer, spoken)
        sound = decode_audio((folder / "wav" / f"{clip}.wav").read_bytes())
        ours = _frames(recognise(sound, options, recognizers).cues)
        same += sum(mine == theirs for mine, theirs in zip(ours, reference, strict=False))
        total += len(reference)
    return same / total


def _truth(folder: Path) -> dict[str, str]:
    return {
        clip: frames_of(
            json.loads((folder / "truth" / f"{clip}.json").read_text())["shapes_by_rhubarb_rules"]
        )
        for clip in TRUTH_CLIPS
    }


def _native(folder: Path, variant: str) -> dict[str, str]:
    return {
        clip: frames_of(
            json.loads((folder / "rhubarb_ptm" / variant / f"{clip}.json").read_text())["mouthCues"]
        )
        for clip in NATIVE_CLIPS
    }


def test_known_text_comes_close_to_the_truth(speech_data: Path, recognizers: Recognizers) -> None:
    options = RecognitionOptions(RecognizerName.ALIGNED, "-")
    truth = _truth(speech_data)
    assert _agreement(speech_data, recognizers, options, truth, text=True) >= 0.83


def test_known_text_closes_the_lips_on_every_m_b_p_and_nowhere_else(
    speech_data: Path, recognizers: Recognizers
) -> None:
    found = right = true = closed = 0
    for clip in TRUTH_CLIPS:
        text = (speech_data / "txt" / f"{clip}.txt").read_text()
        sound = decode_audio((speech_data / "wav" / f"{clip}.wav").read_bytes())
        phones = json.loads((speech_data / "truth" / f"{clip}.json").read_text())["phones"]
        bilabials = [(p["start"], p["end"]) for p in phones if p["phone"] in ("M", "B", "P")]
        cues = recognise(sound, RecognitionOptions(text=text), recognizers).cues
        closures = [(cue.start, cue.end) for cue in cues if cue.shape == "A"]
        found += sum(any(_meet(one, phone) for one in closures) for phone in bilabials)
        right += sum(any(_meet(one, phone) for phone in bilabials) for one in closures)
        true, closed = true + len(bilabials), closed + len(closures)
    assert found / true >= 0.95
    assert right / closed >= 0.95


def _meet(closure: tuple[float, float], phone: tuple[float, float]) -> bool:
    # The lips close for a stop before it is heard.
    return closure[0] < phone[1] + 0.02 and closure[1] > phone[0] - 0.08


@pytest.mark.slow
def test_words_come_close_to_the_truth(speech_data: Path, recognizers: Recognizers) -> None:
    options = RecognitionOptions(RecognizerName.WORDS)
    assert _agreement(speech_data, recognizers, options, _truth(speech_data)) >= 0.79


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "variant"),
    [(RecognizerName.WORDS, "ps_nodialog"), (RecognizerName.PHONETIC, "phonetic")],
)
def test_cues_are_mostly_those_of_the_native_program(
    speech_data: Path, recognizers: Recognizers, name: RecognizerName, variant: str
) -> None:
    native = _native(speech_data, variant)
    assert _agreement(speech_data, recognizers, RecognitionOptions(name), native) >= 0.90
