from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from kuchipaku_animation.cues import MouthShape, validate_cues
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_lipsync.recognise import (
    Outcome,
    Recognition,
    RecognitionOptions,
    Recognizers,
    Step,
    align_text,
    recognise,
    recognise_stepwise,
)
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_lipsync.rhubarb import BASIC_SHAPES
from kuchipaku_media.audio import AudioClip

RATE = 16_000


def _reasons(result: Recognition) -> list[str]:
    return [note.reason for note in result.warnings]


def _check(result: Recognition, duration: float) -> None:
    validate_cues(result.cues)
    assert result.cues[0].start == 0
    assert result.cues[-1].end == result.duration == duration
    assert all(first.end == second.start for first, second in pairwise(result.cues))
    assert all(first.shape is not second.shape for first, second in pairwise(result.cues))


def _shape_at(result: Recognition, time: float) -> MouthShape:
    return next(cue.shape for cue in result.cues if cue.start <= time < cue.end)


@pytest.fixture(scope="module")
def aligned(hello_clip: AudioClip, hello_text: str, recognizers: Recognizers) -> Recognition:
    return recognise(hello_clip, RecognitionOptions(text=hello_text), recognizers)


@pytest.mark.parametrize("name", [RecognizerName.WORDS, RecognizerName.PHONETIC])
def test_cues_of_a_clip(
    hello_clip: AudioClip, recognizers: Recognizers, name: RecognizerName
) -> None:
    result = recognise(hello_clip, RecognitionOptions(name), recognizers)
    _check(result, hello_clip.duration_s)
    assert result.recognizer is name
    assert result.warnings == []
    # Rest before, between and after the sentences; "my name" begins with closed lips.
    assert _shape_at(result, 0.05) is MouthShape.X
    assert _shape_at(result, 0.95) is MouthShape.X
    assert _shape_at(result, 2.92) is MouthShape.X
    assert _shape_at(result, 1.19) is MouthShape.A
    assert len(result.cues) > 30
    assert max(cue.loudness for cue in result.cues) > 0.9


def test_known_text_is_aligned_word_by_word(
    aligned: Recognition, hello_clip: AudioClip, hello_text: str
) -> None:
    _check(aligned, hello_clip.duration_s)
    assert aligned.recognizer is RecognizerName.ALIGNED
    assert aligned.warnings == []
    words = [word.text for word in aligned.words]
    assert words == [token.strip("!.,") for token in hello_text.split()]
    times = {word.text: (word.start, word.end) for word in aligned.words}
    assert times["Hello"][0] == pytest.approx(0.17, abs=0.05)
    assert times["Kuchipaku"][0] == pytest.approx(1.74, abs=0.08)
    assert times["Kuchipaku"][1] == pytest.approx(2.68, abs=0.08)


def test_lips_close_on_each_m_b_p_of_the_text(aligned: Recognition) -> None:
    bilabials = [phone for phone in aligned.phones if phone.phone.value in "MBP"]
    assert len(bilabials) == 7
    for phone in bilabials:
        near = [
            cue.shape
            for cue in aligned.cues
            if cue.start < phone.end + 0.02 and cue.end > phone.start - 0.12
        ]
        assert MouthShape.A in near


def test_same_clip_gives_the_same_cues_whatever_came_before(
    hello_clip: AudioClip, recognizers: Recognizers
) -> None:
    options = RecognitionOptions(RecognizerName.PHONETIC)
    first = recognise(hello_clip, options, recognizers)
    part = AudioClip(hello_clip.samples[: 2 * RATE], RATE)
    recognise(part, options, recognizers)
    assert recognise(hello_clip, options, recognizers) == first


def test_steps_carry_final_cues_and_rising_progress(
    hello_clip: AudioClip, recognizers: Recognizers
) -> None:
    options = RecognitionOptions(RecognizerName.PHONETIC)
    *steps, outcome = recognise_stepwise(hello_clip, options, recognizers)
    assert isinstance(outcome, Outcome)
    fractions = [step.fraction for step in steps if isinstance(step, Step)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    cues = [cue for step in steps if isinstance(step, Step) for cue in step.cues]
    assert cues == recognise(hello_clip, options, recognizers).cues


def test_text_that_does_not_match_falls_back_to_words(
    hello_clip: AudioClip, recognizers: Recognizers
) -> None:
    text = "Completely different words are spoken here, my friend, and nothing else."
    result = recognise(hello_clip, RecognitionOptions(text=text), recognizers)
    assert result.recognizer is RecognizerName.WORDS
    assert _reasons(result) == ["TEXT_DOES_NOT_MATCH"]
    plain = recognise(hello_clip, RecognitionOptions(), recognizers)
    assert result.cues == plain.cues


@pytest.mark.parametrize("text", ["word " * 1000, "zx " * 300, "a" * 20_000])
def test_text_far_too_long_for_the_audio_falls_back(
    hello_clip: AudioClip, recognizers: Recognizers, text: str
) -> None:
    result = recognise(hello_clip, RecognitionOptions(text=text), recognizers)
    assert _reasons(result) == ["TEXT_DOES_NOT_MATCH"]


def test_text_in_another_script_falls_back_to_phones(
    hello_clip: AudioClip, recognizers: Recognizers
) -> None:
    result = recognise(hello_clip, RecognitionOptions(text="Привет"), recognizers)
    assert result.recognizer is RecognizerName.PHONETIC
    assert _reasons(result) == ["TEXT_NOT_UNDERSTOOD"]


def test_align_text_refuses_what_it_cannot_align(
    hello_clip: AudioClip, recognizers: Recognizers
) -> None:
    for text, reason in (
        ("Привет", "TEXT_NOT_UNDERSTOOD"),
        ("An entirely different sentence about ships at sea.", "TEXT_DOES_NOT_MATCH"),
        (" ", "TEXT_MISSING"),
        ("a" * (LIMITS.max_text_chars + 1), "TEXT_TOO_LONG"),
    ):
        with pytest.raises(InvalidArgumentError) as caught:
            align_text(hello_clip, text, recognizers)
        assert (caught.value.reason, caught.value.field) == (reason, "text")


@pytest.mark.parametrize("samples", [1, 79, 160, 800, RATE])
def test_silence_rests(samples: int, recognizers: Recognizers, hello_text: str) -> None:
    clip = AudioClip(np.zeros(samples, np.float32), RATE)
    for options in (
        RecognitionOptions(RecognizerName.WORDS),
        RecognitionOptions(RecognizerName.PHONETIC),
        RecognitionOptions(text=hello_text),
    ):
        result = recognise(clip, options, recognizers)
        _check(result, clip.duration_s)
        assert [cue.shape for cue in result.cues] == [MouthShape.X]
        assert result.cues[0].loudness == 0
        assert _reasons(result) == ["NO_SPEECH"]


def test_bursts_too_short_for_words_do_no_harm(recognizers: Recognizers) -> None:
    generator = np.random.default_rng(3)
    samples = np.zeros(2 * RATE, np.float32)
    samples[8000:9600] = generator.normal(0, 0.2, 1600)
    for name in (RecognizerName.WORDS, RecognizerName.PHONETIC):
        _check(recognise(AudioClip(samples, RATE), RecognitionOptions(name), recognizers), 2.0)


def test_quiet_and_clipped_audio_is_recognised_with_a_warning(
    hello_clip: AudioClip, recognizers: Recognizers
) -> None:
    options = RecognitionOptions(RecognizerName.PHONETIC)
    quiet = AudioClip(np.asarray(hello_clip.samples * 0.01, np.float32), RATE)
    result = recognise(quiet, options, recognizers)
    assert _reasons(result) == ["AUDIO_TOO_QUIET"]
    assert len(result.cues) > 30
    loud = AudioClip(np.clip(hello_clip.samples * 20, -1, 1), RATE)
    assert _reasons(recognise(loud, options, recognizers)) == ["AUDIO_CLIPPED"]


def test_only_allowed_shapes_occur(hello_clip: AudioClip, recognizers: Recognizers) -> None:
    options = RecognitionOptions(RecognizerName.PHONETIC, shapes=BASIC_SHAPES)
    result = recognise(hello_clip, options, recognizers)
    assert {cue.shape for cue in result.cues} <= BASIC_SHAPES
    assert result.cues[0].shape is MouthShape.A


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(0, np.float32), "AUDIO_EMPTY"),
        (np.full(RATE, np.nan, np.float32), "AUDIO_NOT_FINITE"),
        (np.zeros(int(LIMITS.max_audio_duration_s + 1) * 4000, np.float32), "AUDIO_TOO_LONG"),
    ],
)
def test_bad_audio_is_refused(samples: np.ndarray, reason: str, recognizers: Recognizers) -> None:
    rate = 4000 if reason == "AUDIO_TOO_LONG" else RATE
    with pytest.raises(InvalidArgumentError) as caught:
        recognise(AudioClip(samples, rate), RecognitionOptions(), recognizers)
    assert (caught.value.reason, caught.value.field) == (reason, "audio")


def test_aligning_needs_a_text(hello_clip: AudioClip) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        recognise(hello_clip, RecognitionOptions(RecognizerName.ALIGNED))
    assert caught.value.reason == "TEXT_MISSING"
