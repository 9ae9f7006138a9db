"""Recordings that are damaged, odd or hard to hear: each is refused by name or recognised.

The rows are those on which Rhubarb Lip Sync was tried; some of them it answers with nonsense.
"""

from __future__ import annotations

import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_lipsync.intake import EncodedAudio
from kuchipaku_lipsync.recognise import (
    Recognition,
    RecognitionOptions,
    Recognizers,
    recognise,
)
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_media.audio import AudioClip, resample
from tests.media.sounds import encode

PHONETIC = RecognitionOptions(RecognizerName.PHONETIC)
RATE = 16_000


def wav(body: bytes, rate: int = RATE, tag: int = 1, bits: int = 16, length: int = -1) -> bytes:
    """A mono WAV file; `length` is what its header says of the body."""
    size = len(body) if length < 0 else length
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, 1, rate, rate * bits // 8, bits // 8, bits)
    content = b"WAVE" + head + struct.pack("<4sI", b"data", size) + body
    return struct.pack("<4sI", b"RIFF", min(36 + size, 2**32 - 1)) + content


def pcm(samples: NDArray[np.float32]) -> bytes:
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def hear(data: bytes, recognizers: Recognizers) -> Recognition:
    return recognise(EncodedAudio(data).clip(), PHONETIC, recognizers)


def reasons(result: Recognition) -> list[str]:
    return [note.reason for note in result.warnings]


def frames(result: Recognition) -> str:
    return "".join(cue.shape * round(cue.end * 100 - cue.start * 100) for cue in result.cues)


def refused(data: bytes) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        EncodedAudio(data).clip()
    assert caught.value.field == "audio"
    return caught.value.reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "AUDIO_EMPTY"),
        (b"RIFF", "AUDIO_NOT_DECODABLE"),
        (b"Once upon a time there was no sound at all. " * 20, "AUDIO_NOT_DECODABLE"),
        (wav(b""), "AUDIO_EMPTY"),
        (wav(bytes(8_000), length=64_000), "AUDIO_TRUNCATED"),
        (wav(b"\x00\x00\xc0\x7f" * 100, tag=3, bits=32), "AUDIO_NOT_FINITE"),
        (wav(b"\x00\x00\x80\x7f" * 100, tag=3, bits=32), "AUDIO_NOT_FINITE"),
        # Three hours by the header, of which a quarter of a second has come; and all of them.
        (wav(bytes(8_000), length=3 * 3_600 * RATE * 2), "AUDIO_TRUNCATED"),
        (wav(bytes(3 * 3_600 * 4_000), 4_000, bits=8), "AUDIO_TOO_LONG"),
        (wav(bytes(1_000), tag=0x7777), "AUDIO_NOT_DECODABLE"),
    ],
)
def test_what_cannot_be_heard_is_refused(data: bytes, reason: str) -> None:
    assert refused(data) == reason


def test_one_sample_that_is_no_number_is_refused(hello_clip: AudioClip) -> None:
    samples = hello_clip.samples.astype("<f4").copy()
    samples[len(samples) // 2] = np.nan
    assert refused(wav(samples.tobytes(), tag=3, bits=32)) == "AUDIO_NOT_FINITE"


@pytest.mark.parametrize("kind", ["mp3", "ogg", "flac", "m4a", "webm"])
def test_every_usual_kind_of_file_is_heard(
    kind: str, hello_clip: AudioClip, recognizers: Recognizers
) -> None:
    rate = 48_000 if kind in ("ogg", "webm") else RATE
    samples = resample(hello_clip, rate).samples[: 2 * rate]
    result = hear(encode(kind, samples[None], rate), recognizers)
    assert len(result.cues) > 8
    assert reasons(result) == []


def test_u_law_is_heard(hello_clip: AudioClip, recognizers: Recognizers) -> None:
    samples = resample(hello_clip, 8_000).samples[:16_000].astype(np.float64)
    level = np.log1p(255 * np.abs(samples)) / np.log(256)
    coded = np.where(samples >= 0, 0xFF, 0x7F) - np.round(level * 127)
    result = hear(wav(coded.astype(np.uint8).tobytes(), 8_000, tag=7, bits=8), recognizers)
    assert len(result.cues) > 8


@pytest.mark.parametrize("rate", [8_000, 11_025])
def test_speech_below_16_khz_is_heard(
    rate: int, hello_clip: AudioClip, recognizers: Recognizers
) -> None:
    result = hear(wav(pcm(resample(hello_clip, rate).samples), rate), recognizers)
    assert len(result.cues) > 30
    assert reasons(result) == []


def test_speech_at_minus_50_db_is_heard_with_a_warning(
    hello_clip: AudioClip, recognizers: Recognizers
) -> None:
    samples = hello_clip.samples / np.abs(hello_clip.samples).max() * 10 ** (-50 / 20)
    result = hear(wav(pcm(samples)), recognizers)
    assert reasons(result) == ["AUDIO_TOO_QUIET"]
    assert len(result.cues) > 30


def test_speech_far_too_loud_is_heard_with_a_warning(
    hello_clip: AudioClip, recognizers: Recognizers
) -> None:
    result = hear(wav(pcm(hello_clip.samples * 50)), recognizers)
    assert reasons(result) == ["AUDIO_CLIPPED"]
    assert len(result.cues) > 30


def test_a_constant_offset_does_not_matter(hello_clip: AudioClip, recognizers: Recognizers) -> None:
    centred = frames(hear(wav(pcm(hello_clip.samples * 0.5)), recognizers))
    shifted = frames(hear(wav(pcm(hello_clip.samples * 0.5 + 0.4)), recognizers))
    same = sum(one == other for one, other in zip(centred, shifted, strict=True))
    assert same > 0.8 * len(centred)


@pytest.mark.parametrize("milliseconds", [5, 20, 50])
def test_clips_of_a_blink_rest(milliseconds: int, recognizers: Recognizers) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, RATE * milliseconds // 1000)
    result = hear(wav(pcm(noise.astype(np.float32))), recognizers)
    assert result.duration == pytest.approx(milliseconds / 1000)
    assert result.cues[0].start == 0.0
    assert result.cues[-1].end == result.duration


@pytest.mark.parametrize("text", ["", " \n ", "... !?"])
def test_a_text_without_words_is_no_text(
    text: str, hello_clip: AudioClip, recognizers: Recognizers
) -> None:
    clip = AudioClip(hello_clip.samples[: 2 * RATE], RATE)
    result = recognise(clip, RecognitionOptions(text=text), recognizers)
    assert result.recognizer in (RecognizerName.WORDS, RecognizerName.PHONETIC)
    assert len(result.cues) > 8
