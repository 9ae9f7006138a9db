from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_media.audio import PcmAssembler, PcmDecoder, PcmFormat, pcm_to_clip

SAMPLES = st.lists(st.integers(-32768, 32767), min_size=1, max_size=60)


@given(values=SAMPLES, cuts=st.lists(st.integers(0, 120), max_size=8))
def test_pieces_cut_anywhere_give_the_same_clip(values, cuts):
    data = np.array(values, "<i2").tobytes()
    whole = pcm_to_clip(data, PcmFormat.S16LE, 16_000)
    assembler = PcmAssembler(PcmFormat.S16LE, 16_000)
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(bounds):
        assembler.push(data[start:end])
    np.testing.assert_array_equal(assembler.finish().samples, whole.samples)
    np.testing.assert_allclose(whole.samples, np.array(values) / 32768, atol=1e-7)


def test_float_stereo_is_averaged():
    frames = np.array([[0.5, -0.5], [0.25, 0.75]], "<f4")
    clip = pcm_to_clip(frames.tobytes(), PcmFormat.F32LE, 48_000, 2)
    np.testing.assert_allclose(clip.samples, [0.0, 0.5])


def test_a_decoder_returns_what_each_piece_completes():
    decoder = PcmDecoder(PcmFormat.S16LE, 16_000)
    assert len(decoder.push(b"\x00")) == 0
    assert len(decoder.push(b"\x40\x00")) == 1
    assert decoder.samples_decoded == 1
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
    arguments = {"sample_rate": 16_000, **options}
    with pytest.raises(InvalidArgumentError) as caught:
        pcm_to_clip(data, PcmFormat.F32LE, **arguments)
    assert caught.value.reason == reason
