"""ComposeVideo's messages checked and translated for the domain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from kuchipaku.compositor.v1 import compositor_service_pb2 as pb
from kuchipaku.frames import CodedFrame
from kuchipaku.frames.messages import encoding_of, from_message, size_of
from kuchipaku.type.v1 import audio_pb2, frame_pb2
from kuchipaku_compositor.backdrop import (
    DEFAULT_COLOR,
    Backdrop,
    check_backdrop_picture,
    parse_color,
    picture_backdrop,
)
from kuchipaku_compositor.composition import AudioStream, CompositionOptions, FrameStream
from kuchipaku_compositor.durations import seconds_of
from kuchipaku_compositor.encoders import Container
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_media.audio import PcmFormat
from kuchipaku_media.pcm import check_channels, check_sample_rate

DEFAULT_FRAME_RATE = 25.0
DEFAULT_QUALITY = 75
_PICTURE_FIELD = "config.background.image"
_MIN_SIDE_PX = 16

_CONTAINERS = {
    pb.VIDEO_CONTAINER_UNSPECIFIED: Container.MP4,
    pb.VIDEO_CONTAINER_MP4: Container.MP4,
    pb.VIDEO_CONTAINER_WEBM: Container.WEBM,
    pb.VIDEO_CONTAINER_GIF: Container.GIF,
    pb.VIDEO_CONTAINER_WEBP: Container.WEBP,
}
_CONTAINER_NUMBERS = {
    Container.MP4: pb.VIDEO_CONTAINER_MP4,
    Container.WEBM: pb.VIDEO_CONTAINER_WEBM,
    Container.GIF: pb.VIDEO_CONTAINER_GIF,
    Container.WEBP: pb.VIDEO_CONTAINER_WEBP,
}
_PCM_FORMATS = {
    audio_pb2.AUDIO_ENCODING_UNSPECIFIED: None,
    audio_pb2.AUDIO_ENCODING_PCM_S16LE: PcmFormat.S16LE,
    audio_pb2.AUDIO_ENCODING_PCM_F32LE: PcmFormat.F32LE,
}


def parse_config(
    config: pb.ComposeVideoConfig, *, max_gif_duration_s: float, threads: int
) -> CompositionOptions:
    """Check a config and fill in its defaults; fast.

    The background's picture is checked by its header and left out: see `with_picture`.

    Raises `InvalidArgumentError` with ENUM_VALUE_UNKNOWN, FPS_OUT_OF_RANGE,
    FRAME_SIZE_OUT_OF_RANGE, QUALITY_UNSUPPORTED, REFERENCE_WINDOW_UNSUPPORTED,
    AUDIO_ENCODING_UNKNOWN, BACKGROUND_TRANSPARENT_UNSUPPORTED, COLOR_INVALID and the reasons of
    `check_backdrop_picture` and `kuchipaku_media.pcm`.
    """
    if config.container not in _CONTAINERS:
        raise _unknown_enum("config.container", config.container)
    container = _CONTAINERS[config.container]
    if not 0 <= config.quality <= 100:
        raise _out_of_range("config.quality", "QUALITY_UNSUPPORTED", 0, 100, config.quality)
    limit_s = LIMITS.max_audio_duration_s
    return CompositionOptions(
        container=container,
        frames=parse_frame_format(config.frame_format, "config.frame_format"),
        frame_rate=_frame_rate(config.frames_per_second),
        backdrop=_backdrop(config, container),
        audio=_audio(config.audio_format) if config.HasField("audio_format") else None,
        quality=config.quality or DEFAULT_QUALITY,
        max_duration_s=limit_s if container.has_sound else min(limit_s, max_gif_duration_s),
        threads=threads,
    )


def with_picture(config: pb.ComposeVideoConfig, options: CompositionOptions) -> CompositionOptions:
    """The options with the background's picture, if there is one; decodes it, which takes time.

    Raises the reasons of `picture_backdrop`.
    """
    if config.background.WhichOneof("kind") != "image":
        return options
    size = options.container.picture_size(options.frames.width, options.frames.height)
    backdrop = picture_backdrop(config.background.image, size, _PICTURE_FIELD)
    return replace(options, backdrop=backdrop)


def parse_frame_format(frame_format: frame_pb2.FrameFormat, field: str) -> FrameStream:
    """Check a frame format and fill in its defaults."""
    try:
        encoding = encoding_of(frame_format)
    except KeyError:
        raise _unknown_enum(f"{field}.encoding", frame_format.encoding) from None
    if frame_format.alpha_mode not in frame_pb2.AlphaMode.values():
        raise _unknown_enum(f"{field}.alpha_mode", frame_format.alpha_mode)
    width, height = size_of(frame_format)
    for side, name in ((width, "width_px"), (height, "height_px")):
        if not _MIN_SIDE_PX <= side <= LIMITS.max_video_side_px:
            raise _out_of_range(
                f"{field}.{name}",
                "FRAME_SIZE_OUT_OF_RANGE",
                _MIN_SIDE_PX,
                LIMITS.max_video_side_px,
                side,
            )
    window = frame_format.reference_window_bytes
    if not 0 <= window <= LIMITS.max_reference_window_bytes:
        raise _out_of_range(
            f"{field}.reference_window_bytes",
            "REFERENCE_WINDOW_UNSUPPORTED",
            0,
            LIMITS.max_reference_window_bytes,
            window,
        )
    return FrameStream(encoding, width, height, window)


def effective_config(
    config: pb.ComposeVideoConfig, options: CompositionOptions
) -> pb.ComposeVideoConfig:
    """The config with all defaults filled in and without the background's picture."""
    effective = pb.ComposeVideoConfig()
    effective.CopyFrom(config)
    effective.container = _CONTAINER_NUMBERS[options.container]
    effective.frames_per_second = float(options.frame_rate)
    effective.quality = options.quality
    effective.frame_format.CopyFrom(effective_frame_format(config.frame_format, options.frames))
    if options.audio is not None and options.audio.pcm_format is not None:
        effective.audio_format.channel_count = options.audio.channels
    effective.background.Clear()
    if options.backdrop.is_transparent:
        effective.background.transparent = True
    elif options.backdrop.color is not None:
        effective.background.color = "#{:02x}{:02x}{:02x}".format(*options.backdrop.color)
    return effective


def effective_frame_format(
    frame_format: frame_pb2.FrameFormat, stream: FrameStream
) -> frame_pb2.FrameFormat:
    """The frame format with all defaults filled in."""
    effective = frame_pb2.FrameFormat()
    effective.CopyFrom(frame_format)
    effective.encoding = frame_pb2.FrameEncoding.Value(f"FRAME_ENCODING_{stream.encoding}")
    effective.width_px, effective.height_px = stream.width, stream.height
    effective.alpha_mode = frame_pb2.ALPHA_MODE_STRAIGHT
    return effective


def timed_frames(batch: frame_pb2.FrameBatch) -> Iterator[tuple[CodedFrame, float | None]]:
    """The batch's frames with their offsets in seconds, None where the message has none."""
    for message in batch.frames:
        offset_s = seconds_of(message.offset) if message.HasField("offset") else None
        yield from_message(message), offset_s


def _frame_rate(value: float) -> Fraction:
    rate = value or DEFAULT_FRAME_RATE
    if not LIMITS.min_fps <= rate <= LIMITS.max_fps:
        raise _out_of_range(
            "config.frames_per_second",
            "FPS_OUT_OF_RANGE",
            LIMITS.min_fps,
            LIMITS.max_fps,
            value,
        )
    # 1001 is the denominator of the television rates, as 30000/1001.
    return Fraction(rate).limit_denominator(1001)


def _audio(audio_format: audio_pb2.AudioFormat) -> AudioStream:
    field = "config.audio_format"
    if audio_format.encoding not in _PCM_FORMATS:
        raise InvalidArgumentError(
            "The audio encoding is not known.",
            reason="AUDIO_ENCODING_UNKNOWN",
            field=f"{field}.encoding",
        )
    pcm_format = _PCM_FORMATS[audio_format.encoding]
    if pcm_format is None:
        return AudioStream()
    channels = audio_format.channel_count or 1
    check_sample_rate(audio_format.sample_rate_hertz, f"{field}.sample_rate_hertz")
    check_channels(channels, f"{field}.channel_count")
    return AudioStream(pcm_format, audio_format.sample_rate_hertz, channels)


def _backdrop(config: pb.ComposeVideoConfig, container: Container) -> Backdrop:
    background = config.background
    kind = background.WhichOneof("kind")
    if kind == "color":
        return Backdrop(parse_color(background.color, "config.background.color"))
    if kind == "image":
        check_backdrop_picture(background.image, _PICTURE_FIELD)
        return Backdrop(DEFAULT_COLOR)
    if kind == "transparent" and background.transparent and not container.has_alpha:
        raise InvalidArgumentError(
            "MP4 has no transparency; ask for WebM or give a background.",
            reason="BACKGROUND_TRANSPARENT_UNSUPPORTED",
            field="config.background.transparent",
        )
    return Backdrop() if container.has_alpha else Backdrop(DEFAULT_COLOR)


def _unknown_enum(field: str, value: int) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{value} is not a known value.", reason="ENUM_VALUE_UNKNOWN", field=field, value=value
    )


def _out_of_range(
    field: str, reason: str, low: float, high: float, value: float
) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{value:g} is out of range: {low:g} to {high:g}.",
        reason=reason,
        field=field,
        value=value,
        minimum=low,
        maximum=high,
    )
