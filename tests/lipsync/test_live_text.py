"""Live lip sync where the text is known, or believed to be."""

from __future__ import annotations

import numpy as np
import pytest

from kuchipaku_lipsync.live import LiveListener, LiveOptions
from kuchipaku_lipsync.live.following import text_phones
from kuchipaku_lipsync.live.listener import LiveCue, LiveSummary
from kuchipaku_lipsync.recognise import RecognitionOptions, Recognizers, recognise
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_media.audio import AudioClip

OTHER_TEXT = "Five brave people vanished beyond the northern bridge and never came back. " * 3


def _listen(
    samples: np.ndarray, text: str, chunk: int = 1_600, song: bool = False
) -> tuple[list[LiveCue], LiveSummary]:
    listener = LiveListener(LiveOptions(text=text, song=song))
    cues: list[LiveCue] = []
    for start in range(0, len(samples), chunk):
        cues.extend(listener.push(samples[start : start + chunk]).cues)
    step, summary = listener.finish()
    return [*cues, *step.cues], summary


def _frames(cues: list[LiveCue]) -> str:
    return "".join(cue.shape * (round(cue.end * 100) - round(cue.start * 100)) for cue in cues)


def _same(one: str, other: str) -> float:
    return sum(a == b for a, b in zip(one, other, strict=False)) / len(other)


def test_the_text_brings_live_cues_nearer_to_those_of_the_whole_recording(
    hello_clip: AudioClip, hello_text: str, recognizers: Recognizers
) -> None:
    options = RecognitionOptions(RecognizerName.ALIGNED, hello_text)
    whole = recognise(hello_clip, options, recognizers).cues
    truth = "".join(cue.shape * (round(cue.end * 100) - round(cue.start * 100)) for cue in whole)
    told, summary = _listen(hello_clip.samples, hello_text)
    untold, _ = _listen(hello_clip.samples, "")
    assert summary.text_note is None
    assert told[-1].end == hello_clip.duration_s
    assert _same(_frames(told), truth) > _same(_frames(untold), truth) + 0.05


def test_pieces_of_any_size_lead_to_the_same_cues(hello_clip: AudioClip, hello_text: str) -> None:
    samples = hello_clip.samples[:48_000]
    assert _listen(samples, hello_text)[0] == _listen(samples, hello_text, 777)[0]


def test_another_text_is_noticed_and_the_speech_is_heard_all_the_same(
    hello_clip: AudioClip,
) -> None:
    told, summary = _listen(hello_clip.samples, OTHER_TEXT)
    untold, _ = _listen(hello_clip.samples, "")
    assert summary.text_note is not None
    assert summary.text_note[0] == "TEXT_DOES_NOT_MATCH"
    # From the last third on at the latest nothing of the text is left.
    late = slice(len(_frames(untold)) * 2 // 3, None)
    assert _same(_frames(told)[late], _frames(untold)[late]) > 0.8


def test_speech_behind_the_end_of_the_text_is_heard(hello_clip: AudioClip, hello_text: str) -> None:
    first = " ".join(hello_text.split()[:4])
    told, _ = _listen(hello_clip.samples, first)
    late = _frames(told)[len(_frames(told)) * 2 // 3 :]
    assert sum(shape not in "XA" for shape in late) > 0.4 * len(late)


@pytest.mark.parametrize(
    ("text", "song", "reason"),
    [("Привет", False, "TEXT_NOT_UNDERSTOOD"), ("Hello", True, "TEXT_NOT_USED")],
)
def test_a_text_that_is_of_no_use_is_told(
    text: str, song: bool, reason: str, hello_clip: AudioClip
) -> None:
    cues, summary = _listen(hello_clip.samples[:32_000], text, song=song)
    assert cues[-1].end == 2.0
    assert summary.text_note is not None
    assert summary.text_note[0] == reason


def test_texts_become_phones_word_by_word() -> None:
    assert text_phones("Hello, Boss!", "") == [["HH", "AH", "L", "OW"], ["B", "AA", "S"]]
    assert text_phones("さくら", "") == [["S", "AA"], ["K", "UW"], ["R", "AA"]]
