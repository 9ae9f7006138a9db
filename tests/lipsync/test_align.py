"""Aligning in pieces: early cues, and texts that go wrong on the way."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from kuchipaku_animation.cues import MouthCue, MouthShape, validate_cues
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_lipsync.phones import Phone, PhoneSegment
from kuchipaku_lipsync.recognise import (
    Outcome,
    RecognitionOptions,
    Recognizers,
    Step,
    align_text,
    recognise,
    recognise_stepwise,
)
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_lipsync.recognizers.stress import with_stress
from kuchipaku_media.audio import AudioClip

RATE = 16_000


@pytest.fixture(scope="module")
def two_lines(hello_clip: AudioClip) -> AudioClip:
    """The same line twice with a second of silence between."""
    silence = np.zeros(RATE, np.float32)
    return AudioClip(np.concatenate([hello_clip.samples, silence, hello_clip.samples]), RATE)


def _parts(
    clip: AudioClip, text: str, recognizers: Recognizers
) -> Iterator[tuple[Step, list[MouthCue]]]:
    for part in recognise_stepwise(clip, RecognitionOptions(text=text), recognizers):
        if isinstance(part, Step):
            yield part, list(part.cues)


def test_first_cues_come_before_the_whole_is_aligned(
    two_lines: AudioClip, hello_text: str, recognizers: Recognizers
) -> None:
    parts = list(_parts(two_lines, hello_text * 2, recognizers))
    first = next(step for step, cues in parts if cues)
    assert first.fraction < 0.9
    assert first.cues[-1].end < two_lines.duration_s / 2


def test_aligning_stops_where_it_is_not_asked_for_more(
    two_lines: AudioClip, hello_text: str, recognizers: Recognizers
) -> None:
    # Nonsense at the end is not found out before the beginning has been given.
    steps = recognise_stepwise(
        two_lines,
        RecognitionOptions(text=hello_text + " Qqxz vrrk." * 40),
        recognizers,
    )
    assert isinstance(next(steps), Step)


def test_a_text_that_goes_wrong_later_keeps_what_was_right(
    two_lines: AudioClip, hello_text: str, recognizers: Recognizers
) -> None:
    right = recognise(two_lines, RecognitionOptions(text=hello_text * 2), recognizers)
    assert right.recognizer is RecognizerName.ALIGNED
    wrong_end = hello_text + " Nothing of this is said in there, my old friend, not a word."
    result = recognise(two_lines, RecognitionOptions(text=wrong_end), recognizers)
    assert [note.reason for note in result.warnings] == ["TEXT_DOES_NOT_MATCH"]
    assert result.recognizer is RecognizerName.WORDS
    validate_cues(result.cues)
    assert all(one.end == other.start for one, other in pairwise(result.cues))
    assert result.cues[-1].end == two_lines.duration_s
    spoken = [cue for cue in result.cues if cue.shape is not MouthShape.X]
    assert spoken[-1].start > two_lines.duration_s - 1.0
    with pytest.raises(InvalidArgumentError) as caught:
        align_text(two_lines, wrong_end, recognizers)
    assert caught.value.reason == "TEXT_DOES_NOT_MATCH"


def test_words_of_all_pieces_come_in_order(
    two_lines: AudioClip, hello_text: str, recognizers: Recognizers
) -> None:
    result = align_text(two_lines, hello_text * 2, recognizers)
    written = (hello_text + hello_text).replace("!", " ").replace(".", " ").replace(",", " ")
    assert [word.text for word in result.words] == written.split()
    assert all(one.end_cs <= other.start_cs for one, other in pairwise(result.words))


def test_an_outcome_tells_who_listened(
    hello_clip: AudioClip, hello_text: str, recognizers: Recognizers
) -> None:
    options = RecognitionOptions(text=hello_text)
    *_, outcome = recognise_stepwise(hello_clip, options, recognizers)
    assert isinstance(outcome, Outcome)
    assert outcome.recognizer is RecognizerName.ALIGNED


def _stressed(word: str, phones: str) -> str:
    segments = [
        PhoneSegment(10 * index, 10 * index + 5, Phone(name))
        for index, name in enumerate(phones.split())
    ]
    return " ".join(segment.phone.value for segment in with_stress(word, segments))


@pytest.mark.parametrize(
    ("word", "phones", "expected"),
    [
        ("up", "AH P", "AH P"),
        ("the", "DH AH", "DH Schwa"),
        ("come", "K AH M", "K AH M"),
        ("mother", "M AH DH ER", "M AH DH ER"),
        ("honey", "HH AH N IY", "HH AH N IY"),
        ("above", "AH B AH V", "Schwa B AH V"),
        ("potion", "P OW SH AH N", "P OW SH Schwa N"),
        ("village", "V IH L AH JH", "V IH L Schwa JH"),
        ("company", "K AH M P AH N IY", "K AH M P Schwa N IY"),
        # Two full vowels: what the length said stays.
        ("sunlight", "S AH N L AY T", "S AH N L AY T"),
        ("stone", "S T OW N", "S T OW N"),
    ],
)
def test_spelling_tells_stressed_vowels(word: str, phones: str, expected: str) -> None:
    assert _stressed(word, phones) == expected
