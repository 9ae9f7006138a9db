"""Sung vowels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kuchipaku_lipsync.live import LiveListener, LiveOptions
from kuchipaku_lipsync.live.listener import LiveCue
from kuchipaku_lipsync.recognise import RecognitionOptions, Recognizers, recognise
from kuchipaku_lipsync.recognizers.base import AudioContent, RecognizerName
from kuchipaku_lipsync.song import is_singing
from kuchipaku_lipsync.song.pitch import harmonics
from kuchipaku_media.audio import AudioClip, decode_audio
from tests.lipsync.soundmaker import NOT_SPEECH, RATE, sung

CLASSES = {"D": "a", "B": "i", "F": "u", "C": "e", "H": "e", "E": "o"}
SONG = RecognitionOptions(content=AudioContent.SONG)


def _agreement(clip: AudioClip, truth: str, recognizers: Recognizers) -> float:
    result = recognise(clip, SONG, recognizers)
    assert result.recognizer is RecognizerName.SONG
    frames = "".join(c.shape * (round(c.end * 100) - round(c.start * 100)) for c in result.cues)
    pairs = [(CLASSES.get(a), b) for a, b in zip(frames, truth, strict=False) if b != "-"]
    return sum(a == b for a, b in pairs) / len(pairs)


def test_the_right_vowels_are_shown(recognizers: Recognizers) -> None:
    scores = []
    for seed in range(100, 106):
        samples, truth = sung(seed)
        scores.append(_agreement(AudioClip(samples, RATE), truth, recognizers))
    assert np.mean(scores) >= 0.7
    assert min(scores) >= 0.3


def test_pauses_in_the_song_are_rest(recognizers: Recognizers) -> None:
    samples, _ = sung(7, notes=3)
    silence = np.zeros(RATE, np.float32)
    clip = AudioClip(np.concatenate([silence, samples, silence]), RATE)
    cues = recognise(clip, SONG, recognizers).cues
    assert cues[0].shape == cues[-1].shape == "X"
    assert cues[0].end > 0.7
    assert cues[-1].start < clip.duration_s - 0.7
    assert max(cue.loudness for cue in cues) > 0.5


def test_a_song_is_noticed(recognizers: Recognizers) -> None:
    noticed = 0
    for seed in range(200, 205):
        samples, _ = sung(seed)
        result = recognise(AudioClip(samples, RATE), RecognitionOptions(), recognizers)
        noticed += result.recognizer is RecognizerName.SONG
    assert noticed >= 4


def test_content_speech_keeps_the_mouth_shut_in_a_song(recognizers: Recognizers) -> None:
    samples, _ = sung(203)
    options = RecognitionOptions(content=AudioContent.SPEECH)
    result = recognise(AudioClip(samples, RATE), options, recognizers)
    assert result.recognizer is RecognizerName.WORDS


def test_speech_is_no_song(hello_clip: AudioClip, recognizers: Recognizers) -> None:
    assert recognise(hello_clip, None, recognizers).recognizer is RecognizerName.WORDS


@pytest.mark.parametrize("sound", NOT_SPEECH)
def test_instruments_and_noise_are_no_song(sound: str) -> None:
    assert not any(is_singing(NOT_SPEECH[sound](seed)) for seed in (3,))


@pytest.mark.parametrize("pitch", [82.4, 110.0, 233.1, 440.0, 880.0])
def test_pitch_is_found(pitch: float) -> None:
    time = np.arange(RATE) / RATE
    samples = sum(np.sin(2 * np.pi * n * pitch * time) / n for n in range(1, 6)) * 0.1
    voice = harmonics(np.asarray(samples, np.float32))
    inner = slice(3, -3)
    np.testing.assert_allclose(voice.pitch_hz[inner], pitch, rtol=0.01)
    assert voice.periodicity[inner].min() > 0.95
    levels = voice.harmonic_db[10]
    assert levels[0] - levels[1] == pytest.approx(20 * np.log10(2), abs=1.5)
    assert np.isnan(levels[int(4_500 / pitch) :]).all()


def test_silence_and_tiny_clips_are_songs_without_a_word(recognizers: Recognizers) -> None:
    for length in (1, 100, 160, 16_000):
        clip = AudioClip(np.zeros(length, np.float32), RATE)
        result = recognise(clip, SONG, recognizers)
        assert [cue.shape for cue in result.cues] == ["X"]


def test_the_sung_vowels_of_the_corpus(speech_data: Path, recognizers: Recognizers) -> None:
    file = speech_data / "wav" / "n07_sung_vowels_aiueo.wav"
    if not file.exists():
        pytest.skip("no sung vowels in the corpus")
    clip = decode_audio(file.read_bytes(), sample_rate=RATE)
    result = recognise(clip, RecognitionOptions(), recognizers)
    assert result.recognizer is RecognizerName.SONG
    shapes = {cue.shape.value for cue in result.cues}
    assert {"D", "B", "F", "C", "E"} <= shapes


def test_songs_are_followed_live() -> None:
    scores = []
    for seed in range(300, 304):
        samples, truth = sung(seed)
        listener = LiveListener(LiveOptions(song=True))
        cues: list[LiveCue] = []
        for start in range(0, len(samples), 320):
            cues.extend(listener.push(samples[start : start + 320]).cues)
        cues.extend(listener.finish()[0].cues)
        frames = "".join(c.shape * (round(c.end * 100) - round(c.start * 100)) for c in cues)
        pairs = [(CLASSES.get(a), b) for a, b in zip(frames, truth, strict=False) if b != "-"]
        scores.append(sum(a == b for a, b in pairs) / len(pairs))
    assert np.mean(scores) >= 0.6
