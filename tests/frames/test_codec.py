from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuchipaku.frames import (
    CodedFrame,
    FrameDecoder,
    FrameEncoder,
    FrameEncoding,
)
from kuchipaku.frames.messages import (
    decode_batch,
    decoder_for,
    from_message,
    size_of,
    to_message,
)
from kuchipaku.type.v1 import frame_pb2

SIDE = 16
BYTES = SIDE * SIDE * 4
LOSSLESS = [one for one in FrameEncoding if one is not FrameEncoding.JPEG_ALPHA]


def picture(number: int, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (side, side, 4), np.uint8)


def pair(
    encoding: FrameEncoding = FrameEncoding.DELTA_ZSTD, window: int = 0, **options: int
) -> tuple[FrameEncoder, FrameDecoder]:
    encoder = FrameEncoder(encoding, SIDE, SIDE, reference_window_bytes=window, **options)
    decoder = FrameDecoder(encoding, SIDE, SIDE, reference_window_bytes=window)
    decoder.enter_epoch(0)
    return encoder, decoder


@settings(max_examples=100, deadline=None)
@given(
    encoding=st.sampled_from(LOSSLESS),
    numbers=st.lists(st.integers(0, 6), min_size=1, max_size=40),
    window=st.integers(0, 8),
    interval=st.integers(1, 9),
    band=st.integers(0, 16),
    keyed=st.booleans(),
    restarts=st.sets(st.integers(0, 40), max_size=3),
)
def test_what_goes_in_comes_out(encoding, numbers, window, interval, band, keyed, restarts):
    encoder, decoder = pair(encoding, window * BYTES, keyframe_interval=interval, dead_band=band)
    allowed = band if encoding is FrameEncoding.DELTA_ZSTD else 0
    for i, number in enumerate(numbers):
        if i in restarts:
            encoder.start_epoch()
            decoder.enter_epoch(encoder.epoch)
        shown = decoder.decode(encoder.encode(picture(number), number if keyed else None))
        assert np.abs(shown.astype(int) - picture(number)).max() <= allowed


def test_a_repeated_frame_is_a_reference():
    encoder, _ = pair()
    first, second = encoder.encode(picture(1)), encoder.encode(picture(1))
    assert first.data
    assert second == CodedFrame(1, same_as_frame_id=0)
    assert second.size_bytes == 0


def test_equal_pixels_under_another_key_are_a_reference():
    encoder, decoder = pair(window=3 * BYTES)
    decoder.decode(encoder.encode(picture(1), "one"))
    again = encoder.encode(picture(1), "other")
    assert again == CodedFrame(1, same_as_frame_id=0)
    np.testing.assert_array_equal(decoder.decode(again), picture(1))


def test_a_known_key_is_a_reference_while_the_receiver_has_its_picture():
    encoder, decoder = pair(window=3 * BYTES)
    for number in (0, 1, 2):
        decoder.decode(encoder.encode(picture(number), number))
    again = encoder.encode(picture(0), 0)
    assert again == CodedFrame(3, same_as_frame_id=0)
    np.testing.assert_array_equal(decoder.decode(again), picture(0))
    # Picture 1 is the oldest now and leaves when another one comes.
    decoder.decode(encoder.encode(picture(3), 3))
    assert encoder.encode(picture(0), 0).same_as_frame_id == 3
    assert encoder.encode(picture(1), 1).data


def test_deltas_start_from_the_frame_before_and_keyframes_recur():
    encoder, _ = pair(keyframe_interval=3)
    bases = [encoder.encode(picture(number)).base_frame_id for number in range(9)]
    assert bases == [None, 0, 1, 2, None, 4, 5, 6, None]


def test_a_new_epoch_refers_to_nothing_before_it():
    encoder, decoder = pair(window=8 * BYTES)
    decoder.decode(encoder.encode(picture(1), "one"))
    encoder.start_epoch()
    assert encoder.epoch == 1
    coded = encoder.encode(picture(1), "one")
    assert (coded.frame_id, coded.base_frame_id) == (0, None)
    decoder.enter_epoch(1)
    np.testing.assert_array_equal(decoder.decode(coded), picture(1))


def test_the_input_may_change_after_encoding():
    encoder, decoder = pair()
    pixels = picture(1)
    coded = [encoder.encode(pixels)]
    pixels[:] = 0
    coded.append(encoder.encode(picture(2)))
    decoder.decode(coded[0])
    np.testing.assert_array_equal(decoder.decode(coded[1]), picture(2))


def test_decoded_frames_are_read_only():
    encoder, decoder = pair()
    assert not decoder.decode(encoder.encode(picture(1))).flags.writeable


def test_small_changes_cost_little():
    encoder = FrameEncoder(FrameEncoding.DELTA_ZSTD, 256, 256)
    pixels = picture(1, 256)
    first = encoder.encode(pixels)
    pixels[100:104, 100:104] += 1
    assert encoder.encode(pixels).size_bytes < first.size_bytes / 100


@pytest.mark.parametrize("shape", [(SIDE, SIDE, 3), (SIDE, SIDE + 1, 4)])
def test_the_encoder_refuses_other_shapes(shape):
    encoder, _ = pair()
    with pytest.raises(ValueError, match="expected uint8"):
        encoder.encode(np.zeros(shape, np.uint8))


def test_messages_carry_everything():
    frames = [CodedFrame(0, b"data"), CodedFrame(7, b"d", 6), CodedFrame(8, same_as_frame_id=2)]
    for frame in frames:
        message = frame_pb2.Frame.FromString(to_message(frame, 1.04).SerializeToString())
        assert from_message(message) == frame
        assert (message.offset.seconds, message.offset.nanos) == (1, 40_000_000)


def test_a_batch_is_decoded_with_its_offsets_and_epoch():
    frame_format = frame_pb2.FrameFormat(width_px=SIDE, height_px=SIDE)
    encoder, _ = pair()
    decoder = decoder_for(frame_format)
    for epoch in (0, 1):
        messages = [
            to_message(encoder.encode(picture(number)), number / 25) for number in (1, 1, 2)
        ]
        batch = frame_pb2.FrameBatch(epoch=epoch, frames=messages)
        timed = list(decode_batch(decoder, batch))
        assert [frame.offset_s for frame in timed] == [0.04, 0.04, 0.08]
        np.testing.assert_array_equal(timed[2].pixels, picture(2))
        encoder.start_epoch()


def test_format_defaults():
    assert size_of(frame_pb2.FrameFormat()) == (512, 512)
    crop = frame_pb2.Crop(width_px=300, height_px=200)
    assert size_of(frame_pb2.FrameFormat(crop=crop)) == (300, 200)
    assert size_of(frame_pb2.FrameFormat(crop=crop, width_px=600, height_px=400)) == (600, 400)
    assert size_of(frame_pb2.FrameFormat(crop=crop, width_px=150)) == (150, 100)
    assert size_of(frame_pb2.FrameFormat(crop=crop, height_px=100)) == (150, 100)
    assert size_of(frame_pb2.FrameFormat(height_px=256)) == (256, 256)
