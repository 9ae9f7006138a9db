"""Coded frames as protobuf messages and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from kuchipaku.frames.decoder import FrameDecoder
from kuchipaku.frames.types import CodedFrame, FrameEncoding, Rgba
from kuchipaku.type.v1 import frame_pb2

CANVAS_SIDE_PX = 512
_NANOS = 1_000_000_000

ENCODINGS: Mapping[int, FrameEncoding] = {
    frame_pb2.FRAME_ENCODING_UNSPECIFIED: FrameEncoding.DELTA_ZSTD,
    frame_pb2.FRAME_ENCODING_RAW: FrameEncoding.RAW,
    frame_pb2.FRAME_ENCODING_DELTA_ZSTD: FrameEncoding.DELTA_ZSTD,
    frame_pb2.FRAME_ENCODING_PNG: FrameEncoding.PNG,
    frame_pb2.FRAME_ENCODING_WEBP: FrameEncoding.WEBP,
    frame_pb2.FRAME_ENCODING_JPEG_ALPHA: FrameEncoding.JPEG_ALPHA,
}
"""The encodings by their numbers in the protocol, the default included."""


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """Decoded pixels and when they are due, in seconds from the utterance's start.

    ``offset_s`` is None where the message did not say.
    """

    pixels: Rgba
    offset_s: float | None


def encoding_of(frame_format: frame_pb2.FrameFormat) -> FrameEncoding:
    """The encoding a format asks for, defaults applied. ``KeyError`` for an unknown number."""
    return ENCODINGS[frame_format.encoding]


def size_of(frame_format: frame_pb2.FrameFormat) -> tuple[int, int]:
    """Width and height in pixels of a format's frames, defaults applied.

    A side that is 0 follows from the other one by the crop's aspect; both: the crop's size.
    """
    width, height = frame_format.width_px, frame_format.height_px
    crop_width = crop_height = CANVAS_SIDE_PX
    if frame_format.HasField("crop"):
        crop_width, crop_height = frame_format.crop.width_px, frame_format.crop.height_px
    if not width:
        width = round(height * crop_width / max(1, crop_height)) if height else crop_width
    return width, height or round(width * crop_height / max(1, crop_width))


def decoder_for(frame_format: frame_pb2.FrameFormat) -> FrameDecoder:
    """A decoder for a stream of frames of this format."""
    width, height = size_of(frame_format)
    return FrameDecoder(
        encoding_of(frame_format),
        width,
        height,
        reference_window_bytes=frame_format.reference_window_bytes,
    )


def to_message(frame: CodedFrame, offset_s: float | None = None) -> frame_pb2.Frame:
    """Return ``frame`` as a message that is due at ``offset_s`` seconds."""
    message = frame_pb2.Frame(frame_id=frame.frame_id)
    if offset_s is not None:
        nanos = round(offset_s * _NANOS)
        message.offset.CopyFrom(Duration(seconds=nanos // _NANOS, nanos=nanos % _NANOS))
    if frame.base_frame_id is not None:
        message.base_frame_id = frame.base_frame_id
    if frame.same_as_frame_id is not None:
        message.same_as_frame_id = frame.same_as_frame_id
    else:
        message.data = frame.data or b""
    return message


def from_message(message: frame_pb2.Frame) -> CodedFrame:
    """Return the frame that ``message`` carries."""
    return CodedFrame(
        frame_id=message.frame_id,
        data=message.data if message.HasField("data") else None,
        base_frame_id=message.base_frame_id if message.HasField("base_frame_id") else None,
        same_as_frame_id=message.same_as_frame_id if message.HasField("same_as_frame_id") else None,
    )


def decode_batch(decoder: FrameDecoder, batch: frame_pb2.FrameBatch) -> Iterator[TimedFrame]:
    """Decode a batch's frames in order. Raises `FrameCodecError`."""
    decoder.enter_epoch(batch.epoch)
    for message in batch.frames:
        offset_s = None
        if message.HasField("offset"):
            offset_s = message.offset.seconds + message.offset.nanos / _NANOS
        yield TimedFrame(decoder.decode(from_message(message)), offset_s)
