"""Music and noise leave the mouth at rest; speech over them does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kuchipaku_lipsync.live import LiveListener
from kuchipaku_lipsync.recognise import Recognition, RecognitionOptions, Recognizers, recognise
from kuchipaku_lipsync.recognizers.base import AudioContent, RecognizerName
from kuchipaku_lipsync.speechgate import SpeechDetector, only_speech, speech_regions
from kuchipaku_lipsync.vad import Segment
from kuchipaku_media.audio import AudioClip, decode_audio
from tests.lipsync.soundmaker import NOT_SPEECH, RATE, Samples, chords, noise

PHONETIC = RecognitionOptions(RecognizerName.PHONETIC)


def _frames(result: Recognition) -> str:
    return "".join(c.shape * (round(c.end * 100) - round(c.start * 100)) for c in result.cues)


def _shut(frames: str) -> float:
    return sum(shape in "XA" for shape in frames) / len(frames)


def _live(samples: Samples) -> str:
    listener = LiveListener()
    cues = [*listener.push(samples).cues, *listener.finish()[0].cues]
    return "".join(c.shape * (round(c.end * 100) - round(c.start * 100)) for c in cues)


@pytest.mark.parametrize("sound", NOT_SPEECH)
def test_the_mouth_is_shut_in_music_and_noise(recognizers: Recognizers, sound: str) -> None:
    for seed in (1, 2):
        samples = NOT_SPEECH[sound](seed)
        result = recognise(AudioClip(samples, RATE), RecognitionOptions(), recognizers)
        assert _shut(_frames(result)) >= 0.95
        assert [note.reason for note in result.warnings] == ["NO_SPEECH"]
        assert _shut(_live(samples)) >= 0.95


@pytest.mark.parametrize("name", ["n01_music", "n02_white_noise", "n03_silence", "n04_room_tone"])
def test_the_mouth_is_shut_in_recorded_music_and_noise(
    speech_data: Path, recognizers: Recognizers, name: str
) -> None:
    file = speech_data / "wav" / f"{name}.wav"
    if not file.exists():
        pytest.skip(f"no {name} in the corpus")
    clip = decode_audio(file.read_bytes(), sample_rate=RATE)
    result = recognise(clip, RecognitionOptions(), recognizers)
    assert _shut(_frames(result)) >= 0.95
    assert _shut(_live(clip.samples)) >= 0.95


@pytest.mark.parametrize("background", [chords, noise])
def test_speech_over_music_or_noise_is_heard(
    hello_clip: AudioClip, recognizers: Recognizers, background: object
) -> None:
    behind = background(5)[: len(hello_clip.samples)]  # type: ignore[operator]
    speech = hello_clip.samples
    # The speech is 10 dB louder.
    gain = 10 ** (-10 / 20) * np.sqrt(np.mean(speech**2) / np.mean(behind**2))
    mixed = np.clip(speech + gain * behind, -1, 1).astype(np.float32)
    spoken = np.array([shape not in "XA" for shape in _frames(recognise(hello_clip, PHONETIC))])
    ours = _frames(recognise(AudioClip(mixed, RATE), PHONETIC, recognizers))
    open_ = np.array([shape not in "XA" for shape in ours])
    assert open_[spoken].mean() > 0.8
    live = np.array([shape not in "XA" for shape in _live(mixed)])
    assert live[spoken].mean() > 0.75


def test_speech_alone_is_not_cut(hello_clip: AudioClip, recognizers: Recognizers) -> None:
    regions = speech_regions(hello_clip.samples)
    assert regions
    heard = recognise(hello_clip, PHONETIC, recognizers)
    anything = RecognitionOptions(RecognizerName.PHONETIC, content=AudioContent.SPEECH)
    assert recognise(hello_clip, anything, recognizers).cues == heard.cues


def test_probabilities_do_not_depend_on_how_the_audio_is_cut(hello_clip: AudioClip) -> None:
    samples = hello_clip.samples[:40_000]
    whole = SpeechDetector().push(samples)
    detector = SpeechDetector()
    pieces = [detector.push(samples[start : start + 777]) for start in range(0, 40_000, 777)]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-4)
    assert len(whole) == 40_000 // 512
    assert whole.max() > 0.9


@pytest.mark.parametrize(
    ("active", "regions", "kept"),
    [
        # Speech nearly fills it: as it is.
        ([(0, 300)], [(20, 280)], [(0, 300)]),
        # Music before and after the speech is cut off.
        ([(0, 1000)], [(400, 600)], [(400, 600)]),
        # A long hole in the speech splits it, a short one does not.
        ([(0, 1000)], [(10, 300), (700, 990)], [(0, 300), (700, 1000)]),
        ([(0, 600)], [(10, 300), (380, 590)], [(0, 600)]),
        ([(0, 300), (500, 900)], [(520, 890)], [(500, 900)]),
        ([(0, 300)], [], []),
        ([], [(0, 100)], []),
    ],
)
def test_what_is_left_of_the_activity(
    active: list[tuple[int, int]], regions: list[tuple[int, int]], kept: list[tuple[int, int]]
) -> None:
    result = only_speech([Segment(*a) for a in active], [Segment(*r) for r in regions])
    assert result == tuple(Segment(*k) for k in kept)
