"""Encoders: one class for each kind of file, behind the `VideoEncoder` protocol."""

from __future__ import annotations

from kuchipaku_compositor.encoders.base import (
    SAMPLE_RATE,
    Check,
    Container,
    VideoEncoder,
    VideoOptions,
)
from kuchipaku_compositor.encoders.gif import GifEncoder
from kuchipaku_compositor.encoders.mp4 import Mp4Encoder
from kuchipaku_compositor.encoders.webm import WebmEncoder
from kuchipaku_compositor.encoders.webp import WebpEncoder

__all__ = ["SAMPLE_RATE", "Check", "Container", "VideoEncoder", "VideoOptions", "open_encoder"]


def open_encoder(container: Container, options: VideoOptions) -> VideoEncoder:
    """Return a new encoder for ``container``. The caller closes it."""
    encoders: dict[Container, type[Mp4Encoder | WebmEncoder | GifEncoder | WebpEncoder]] = {
        Container.MP4: Mp4Encoder,
        Container.WEBM: WebmEncoder,
        Container.GIF: GifEncoder,
        Container.WEBP: WebpEncoder,
    }
    return encoders[container](options)
