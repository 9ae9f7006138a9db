from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_media.audio import AudioClip, audio_file_assembler, decode_audio, resample
from tests.media.sounds import CODECS, encode, tone

LOSSLESS = ("wav", "wav24", "wavf", "flac", "aiff")
RATES = {"ogg": 48_000, "webm": 48_000}


def rate_for(kind: str) -> int:
    return RATES.get(kind, 22_050)


def refusal(data: bytes, **options: float) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        decode_audio(data, field="speech", **options)  # type: ignore[arg-type]
    assert caught.value.field == "speech"
    return caught.value.reason


def wav_bytes(body: bytes, *, rate: int = 16_000, tag: int = 1, bits: int = 16) -> bytes:
    align = bits // 8
    header = struct.pack("<HHIIHH", tag, 1, rate, rate * align, align, bits)
    chunks = b"fmt " + struct.pack("<I", 16) + header + b"data" + struct.pack("<I", len(body))
    return b"RIFF" + struct.pack("<I", 4 + len(chunks) + len(body)) + b"WAVE" + chunks + body


def spectrum_peak(clip: AudioClip) -> float:
    magnitude = np.abs(np.fft.rfft(clip.samples * np.hanning(len(clip.samples))))
    return float(magnitude.argmax() * clip.sample_rate / len(clip.samples))


@pytest.mark.parametrize("kind", list(CODECS))
def test_every_container_gives_the_same_sound(kind):
    rate = rate_for(kind)
    clip = decode_audio(encode(kind, tone(1.0, rate), rate))
    assert clip.sample_rate == rate
    assert clip.samples.dtype == np.float32
    assert clip.duration_s == pytest.approx(1.0, abs=0.1)
    assert spectrum_peak(clip) == pytest.approx(440, abs=2)
    assert np.abs(clip.samples).max() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_audio_comes_back_exactly_to_its_depth(kind):
    wave = tone(0.3, 22_050)
    clip = decode_audio(encode(kind, wave, 22_050))
    assert len(clip.samples) == wave.shape[1]
    assert np.abs(clip.samples - wave[0]).max() <= 1.5 / 32768


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 96_000, 192_000])
def test_any_rate_is_taken_and_resampled_on_request(rate):
    data = encode("wav", tone(0.5, rate), rate)
    native = decode_audio(data)
    assert native.sample_rate == rate
    clip = decode_audio(data, sample_rate=16_000)
    assert clip.sample_rate == 16_000
    assert len(clip.samples) == pytest.approx(8_000, abs=2)
    np.testing.assert_allclose(clip.samples, resample(native, 16_000).samples, atol=2e-3)


def test_channels_are_averaged():
    left, right = tone(0.2, 16_000, 300)[0], tone(0.2, 16_000, 700)[0]
    clip = decode_audio(encode("wavf", np.stack([left, right]), 16_000))
    np.testing.assert_allclose(clip.samples, (left + right) / 2, atol=1e-6)


def test_a_streamed_wav_without_a_length_is_taken_whole():
    data = bytearray(wav_bytes(bytes(3_200)))
    data[40:44] = b"\xff\xff\xff\xff"
    assert decode_audio(bytes(data)).duration_s == pytest.approx(0.1)


def test_an_mp3_with_a_tag_and_cover_padding_is_taken():
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 2, 0]) + bytes(256)
    assert decode_audio(tag + encode("mp3", tone(0.5, 22_050), 22_050)).duration_s > 0.4


def test_empty_audio_is_refused():
    assert refusal(b"") == "AUDIO_EMPTY"
    assert refusal(wav_bytes(b"")) == "AUDIO_EMPTY"


@pytest.mark.parametrize(
    "data",
    [
        b"this is not audio at all, only text" * 20,
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        bytes(1000),
        b"fLaC" + bytes(100),
        b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(500),
        b"\x00\x00\x00\x18ftypM4A " + bytes(300),
        b"\x1a\x45\xdf\xa3" + bytes(300),
    ],
)
def test_what_is_not_audio_is_refused(data):
    assert refusal(data) in {"AUDIO_NOT_DECODABLE", "AUDIO_EMPTY"}


# ADTS frames do not say how many follow.
@pytest.mark.parametrize("kind", [kind for kind in CODECS if kind != "aac"])
@pytest.mark.parametrize("keep", [0.3, 0.7])
def test_truncated_files_are_refused(kind, keep):
    rate = rate_for(kind)
    options = {"movflags": "faststart"} if kind == "m4a" else {}
    data = encode(kind, tone(3.0, rate), rate, **options)
    assert refusal(data[: int(len(data) * keep)]) in {"AUDIO_TRUNCATED", "AUDIO_NOT_DECODABLE"}


def test_a_truncated_wav_is_named_as_such():
    assert refusal(wav_bytes(bytes(32_000))[:-1_000]) == "AUDIO_TRUNCATED"
    assert refusal(wav_bytes(bytes(32_000))[:30]) == "AUDIO_TRUNCATED"


@pytest.mark.parametrize("kind", ["flac", "mp3", "ogg", "m4a", "webm"])
def test_damage_never_escapes_as_another_error(kind):
    rate = rate_for(kind)
    data = encode(kind, tone(1.0, rate), rate)
    random = np.random.default_rng(7)
    for _ in range(25):
        damaged = bytearray(data)
        for position in random.integers(0, len(data), 20):
            damaged[position] = random.integers(0, 256)
        try:
            clip = decode_audio(bytes(damaged))
        except InvalidArgumentError:
            continue
        assert np.isfinite(clip.samples).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(bad):
    samples = np.zeros(1600, "<f4")
    samples[800] = bad
    assert refusal(wav_bytes(samples.tobytes(), tag=3, bits=32)) == "AUDIO_NOT_FINITE"


def test_float_samples_beyond_full_scale_are_clipped():
    samples = np.array([0.5, 7.0, -9.0] * 100, "<f4")
    clip = decode_audio(wav_bytes(samples.tobytes(), tag=3, bits=32))
    assert clip.samples.min() == -1.0
    assert clip.samples.max() == 1.0


def test_three_hours_are_refused_by_the_header_and_by_the_samples():
    hours = bytearray(encode("flac", np.zeros((1, 8_000), np.float32), 8_000))
    # STREAMINFO keeps the number of samples in the last 36 bits before the MD5 sum.
    hours[21] &= 0xF0
    hours[22:26] = (8_000 * 3 * 3_600).to_bytes(4, "big")
    assert refusal(bytes(hours)) == "AUDIO_TOO_LONG"
    adts = encode("aac", np.zeros((1, 8_000 * 700), np.float32), 8_000)
    assert refusal(adts) == "AUDIO_TOO_LONG"


def test_decoding_stops_at_the_limit():
    data = encode("wav", tone(5.0, 16_000), 16_000)
    assert refusal(data, max_duration_s=4.9) == "AUDIO_TOO_LONG"
    assert decode_audio(data, max_duration_s=5.0).duration_s == pytest.approx(5.0)


def test_rates_and_channels_outside_the_limits_are_refused():
    assert refusal(wav_bytes(bytes(100), rate=1_000)) == "AUDIO_SAMPLE_RATE_UNSUPPORTED"
    assert refusal(wav_bytes(bytes(100), rate=1_000_000)) == "AUDIO_SAMPLE_RATE_UNSUPPORTED"


def test_a_file_in_pieces_is_bounded_while_it_arrives():
    assembler = audio_file_assembler("audio")
    piece = bytes(64 * 1024 * 1024)
    for _ in range(LIMITS.max_audio_bytes // len(piece)):
        assembler.push(piece)
    with pytest.raises(InvalidArgumentError) as caught:
        assembler.push(b"x")
    assert caught.value.reason == "AUDIO_TOO_LARGE"


def test_the_test_corpus_decodes():
    folder = os.environ.get("KUCHIPAKU_TEST_DATA")
    if not folder:
        pytest.skip("KUCHIPAKU_TEST_DATA names no folder of test data")
    files = sorted(
        path
        for path in (Path(folder) / "data" / "speech").rglob("*")
        if path.suffix in {".wav", ".flac", ".ogg", ".mp3", ".opus", ".m4a"}
    )[:20]
    assert files
    for path in files:
        clip = decode_audio(path.read_bytes(), sample_rate=16_000)
        assert clip.duration_s > 0.1, path.name
