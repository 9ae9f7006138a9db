from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_media.audio import PcmDecoder, PcmFormat

SAMPLES = st.lists(st.integers(-32768, 32767), min_size=1, max_size=60)


@given(values=SAMPLES, cuts=st.lists(st.integers(0, 120), max_size=8))
def test_pieces_cut_anywhere_give_the_same_samples(values, cuts):
    data = np.array(values, "<i2").tobytes()
    decoder = PcmDecoder(PcmFormat.S16LE, 16_000)
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [decoder.push(data[start:end]) for start, end in itertools.pairwise(bounds)]
    decoder.finish()
    np.testing.assert_allclose(np.concatenate(pieces), np.array(values) / 32768, atol=1e-7)


def test_float_stereo_is_averaged():
    frames = np.array([[0.5, -0.5], [0.25, 0.75]], "<f4")
    samples = PcmDecoder(PcmFormat.F32LE, 48_000, 2).push(frames.tobytes())
    np.testing.assert_allclose(samples, [0.0, 0.5])


def test_a_decoder_returns_what_each_piece_completes():
    decoder = PcmDecoder(PcmFormat.S16LE, 16_000)
    assert len(decoder.push(b"\x00")) == 0
    assert len(decoder.push(b"\x40\x00")) == 1
    with pytest.raises(InvalidArgumentError) as caught:
        decoder.finish()
    assert caught.value.reason == "AUDIO_TRUNCATED"


@pytest.mark.parametrize(
    ("data", "options", "reason"),
    [
        (b"", {}, "AUDIO_EMPTY"),
        (np.array([np.nan], "<f4").tobytes(), {}, "AUDIO_NOT_FINITE"),
        (bytes(4 * 1001), {"max_duration_s": 0.0625}, "AUDIO_TOO_LONG"),
        (bytes(4), {"sample_rate": 100}, "AUDIO_SAMPLE_RATE_UNSUPPORTED"),
        (bytes(4), {"channels": 0}, "AUDIO_CHANNELS_UNSUPPORTED"),
    ],
)
def test_bad_pcm_is_refused(data, options, reason):
    def decode() -> None:
        decoder = PcmDecoder(PcmFormat.F32LE, **{"sample_rate": 16_000, **options})
        decoder.push(data)
        decoder.finish()

    with pytest.raises(InvalidArgumentError) as caught:
        decode()
    assert caught.value.reason == reason
