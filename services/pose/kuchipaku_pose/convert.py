"""Messages of the API to the terms of this package and back, checked on the way in."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration

from kuchipaku.frames import (
    DEFAULT_JPEG_QUALITY,
    DEFAULT_KEYFRAME_INTERVAL,
    MAX_DEAD_BAND,
    MAX_QUALITY,
    FrameEncoder,
    FrameEncoding,
)
from kuchipaku.frames.messages import ENCODINGS
from kuchipaku.pose.v1 import pose_service_pb2 as pb
from kuchipaku.type.v1 import animation_pb2, cue_pb2, frame_pb2
from kuchipaku_animation import EXPRESSIONS, ExpressionKey, MouthCue, MouthShape
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_pose.engine import StageTotals
from kuchipaku_pose.framestream import StreamStatistics
from kuchipaku_pose.models import PoseModel
from kuchipaku_pose.view import View, make_view

T = TypeVar("T")

MAX_KEYFRAME_INTERVAL = 3000
_NANOS = 1_000_000_000
_MAX_SECONDS = 100_000_000
_DEFAULT_FADE_S = 0.3
_MANY = 256
"""Converting more than this at once would hold the event loop up."""

#: Without the unspecified one.
SHAPES: Mapping[int, MouthShape] = {
    cue_pb2.MOUTH_SHAPE_A: MouthShape.A,
    cue_pb2.MOUTH_SHAPE_B: MouthShape.B,
    cue_pb2.MOUTH_SHAPE_C: MouthShape.C,
    cue_pb2.MOUTH_SHAPE_D: MouthShape.D,
    cue_pb2.MOUTH_SHAPE_E: MouthShape.E,
    cue_pb2.MOUTH_SHAPE_F: MouthShape.F,
    cue_pb2.MOUTH_SHAPE_G: MouthShape.G,
    cue_pb2.MOUTH_SHAPE_H: MouthShape.H,
    cue_pb2.MOUTH_SHAPE_X: MouthShape.X,
}


def pick(table: Mapping[int, T], number: int, field: str) -> T:
    """Return the entry of an enumeration's value.

    Raises:
        InvalidArgumentError: ENUM_VALUE_UNKNOWN.
    """
    if number not in table:
        raise InvalidArgumentError(
            f"{field} has the unknown value {number}.", reason="ENUM_VALUE_UNKNOWN", field=field
        )
    return table[number]


def seconds(duration: Duration, field: str) -> float:
    """Return a duration that must not be negative in seconds.

    Raises:
        InvalidArgumentError: DURATION_INVALID.
    """
    value_s = signed_seconds(duration, field)
    if value_s < 0:
        raise InvalidArgumentError(f"{field} is negative.", reason="DURATION_INVALID", field=field)
    return value_s


def signed_seconds(duration: Duration, field: str) -> float:
    """Return a duration that may be negative in seconds.

    Raises:
        InvalidArgumentError: DURATION_INVALID.
    """
    in_range = abs(duration.seconds) <= _MAX_SECONDS and abs(duration.nanos) < _NANOS
    # The sign of a duration is that of both its parts.
    if not in_range or duration.seconds * duration.nanos < 0:
        raise InvalidArgumentError(
            f"{field} is not a valid duration.", reason="DURATION_INVALID", field=field
        )
    return duration.seconds + duration.nanos / _NANOS


def check_count(count: int, limit: int, field: str, reason: str) -> None:
    """Refuse more entries in one message than a limit, before any is looked at.

    Raises:
        InvalidArgumentError: with the ``reason``.
    """
    if count > limit:
        raise InvalidArgumentError(
            f"{field} has {count} entries; at most {limit} are accepted.",
            reason=reason,
            field=field,
            limit=limit,
        )


async def converted(convert: Callable[[], T], count: int) -> T:
    """Return what ``convert`` makes of ``count`` entries, without holding the event loop up."""
    return await asyncio.to_thread(convert) if count > _MANY else convert()


def duration(value_s: float) -> Duration:
    """Return ``value_s`` seconds as a message."""
    nanos = round(value_s * _NANOS)
    return Duration(seconds=nanos // _NANOS, nanos=nanos % _NANOS)


def fps_of(value: float, field: str) -> float:
    """Return a frame rate, 25 for 0.

    Raises:
        InvalidArgumentError: FPS_OUT_OF_RANGE.
    """
    if value == 0:
        return 25.0
    if not (math.isfinite(value) and LIMITS.min_fps <= value <= LIMITS.max_fps):
        raise InvalidArgumentError(
            f"The frame rate must lie between {LIMITS.min_fps} and {LIMITS.max_fps}.",
            reason="FPS_OUT_OF_RANGE",
            field=field,
            minimum=LIMITS.min_fps,
            maximum=LIMITS.max_fps,
        )
    return value


def cues_of(batch: cue_pb2.CueBatch) -> list[MouthCue]:
    """Return the cues of a message; order and overlaps are checked where they are played.

    Raises:
        InvalidArgumentError: the field names the cue, for example ``cues.cues[3].shape``.
    """
    cues = []
    for i, cue in enumerate(batch.cues):
        where = f"cues.cues[{i}]"
        cues.append(
            MouthCue(
                seconds(cue.start_offset, f"{where}.start_offset"),
                seconds(cue.end_offset, f"{where}.end_offset"),
                pick(SHAPES, cue.shape, f"{where}.shape"),
                cue.loudness if cue.HasField("loudness") else 1.0,
            )
        )
    return cues


def expressions_of(batch: animation_pb2.ExpressionBatch) -> list[ExpressionKey]:
    """Return the expression keys of a message.

    Raises:
        InvalidArgumentError: the field names the key.
    """
    keys = []
    for i, key in enumerate(batch.keys):
        where = f"expressions.keys[{i}]"
        fade = (
            seconds(key.fade_duration, f"{where}.fade_duration")
            if key.HasField("fade_duration")
            else _DEFAULT_FADE_S
        )
        keys.append(
            ExpressionKey(
                seconds(key.start_offset, f"{where}.start_offset"),
                expression_of(key.expression, f"{where}.expression"),
                key.strength if key.HasField("strength") else 1.0,
                fade,
            )
        )
    return keys


def expression_of(name: str, field: str) -> str:
    """Return an expression's name; empty means neutral.

    Raises:
        InvalidArgumentError: EXPRESSION_UNKNOWN.
    """
    if name and name not in EXPRESSIONS:
        raise InvalidArgumentError(
            f"Unknown expression {name!r}; known are {', '.join(EXPRESSIONS)}.",
            reason="EXPRESSION_UNKNOWN",
            field=field,
            expression=name,
        )
    return name or "neutral"


def view_of(frame_format: frame_pb2.FrameFormat, canvas_side: int) -> View:
    """Return the checked view of a frame format; raises as `make_view` does."""
    crop = frame_format.crop
    window = (crop.left_px, crop.top_px, crop.width_px, crop.height_px)
    return make_view(
        canvas_side,
        crop=window if frame_format.HasField("crop") else None,
        width=frame_format.width_px,
        height=frame_format.height_px,
    )


def complete_format(frame_format: frame_pb2.FrameFormat, canvas_side: int) -> frame_pb2.FrameFormat:
    """Return a frame format with all defaults filled in.

    Raises:
        InvalidArgumentError: a value is out of range.
    """
    view = view_of(frame_format, canvas_side)
    field = "config.frame_format"
    encoding = frame_format.encoding or frame_pb2.FRAME_ENCODING_DELTA_ZSTD
    codec = pick(ENCODINGS, encoding, f"{field}.encoding")
    alpha = frame_format.alpha_mode or frame_pb2.ALPHA_MODE_STRAIGHT
    pick({frame_pb2.ALPHA_MODE_STRAIGHT: True}, alpha, f"{field}.alpha_mode")
    interval = frame_format.keyframe_interval or DEFAULT_KEYFRAME_INTERVAL
    _check_range(interval, 1, MAX_KEYFRAME_INTERVAL, f"{field}.keyframe_interval")
    window = frame_format.reference_window_bytes
    _check_range(window, 0, LIMITS.max_reference_window_bytes, f"{field}.reference_window_bytes")
    _check_range(frame_format.dead_band, 0, MAX_DEAD_BAND, f"{field}.dead_band")
    _check_range(frame_format.quality, 0, MAX_QUALITY, f"{field}.quality")
    return frame_pb2.FrameFormat(
        encoding=encoding,
        width_px=view.width,
        height_px=view.height,
        crop=frame_pb2.Crop(
            left_px=view.left,
            top_px=view.top,
            width_px=view.crop_width,
            height_px=view.crop_height,
        ),
        alpha_mode=alpha,
        keyframe_interval=interval,
        reference_window_bytes=window,
        dead_band=frame_format.dead_band if codec is FrameEncoding.DELTA_ZSTD else 0,
        quality=_quality(codec, frame_format.quality),
    )


def _quality(codec: FrameEncoding, asked: int) -> int:
    """The quality that a codec works with; 0 where it has none or is lossless."""
    if codec is FrameEncoding.JPEG_ALPHA:
        return asked or DEFAULT_JPEG_QUALITY
    return asked if codec is FrameEncoding.WEBP else 0


def encoder_for(frame_format: frame_pb2.FrameFormat) -> FrameEncoder:
    """Return the encoder of a completed frame format."""
    return FrameEncoder(
        ENCODINGS[frame_format.encoding],
        frame_format.width_px,
        frame_format.height_px,
        keyframe_interval=frame_format.keyframe_interval,
        reference_window_bytes=frame_format.reference_window_bytes,
        dead_band=frame_format.dead_band,
        quality=frame_format.quality,
    )


def model_message(model: PoseModel, *, is_default: bool, default_quantum: float) -> pb.PoseModel:
    """Describe a model."""
    manifest = model.engine.pack.manifest
    return pb.PoseModel(
        name=manifest.name,
        version=manifest.version,
        family=manifest.family,
        is_default=is_default,
        license=manifest.licence,
        attribution=manifest.attribution,
        parameters=[
            pb.PoseParameter(name=p.name, minimum=p.minimum, maximum=p.maximum, neutral=p.neutral)
            for p in manifest.parameters
        ],
        expressions=list(EXPRESSIONS),
        mouth_map=[
            pb.MouthTarget(
                shape=cue_pb2.MouthShape.Value(f"MOUTH_SHAPE_{shape}"),
                weights=[
                    pb.PoseWeight(parameter=parameter, value=value)
                    for parameter, value in model.mouth_map.shapes[shape].weights.items()
                ],
            )
            for shape in MouthShape
        ],
        default_quantum=default_quantum,
    )


def statistics_message(statistics: StreamStatistics) -> pb.RenderStatistics:
    """Return a stream's statistics as its last message."""
    return pb.RenderStatistics(
        frame_count=statistics.frames,
        dropped_frame_count=statistics.dropped,
        cached_frame_count=statistics.cached,
        reference_frame_count=statistics.references,
        clamped_value_count=statistics.clamped_values,
        frame_bytes=statistics.frame_bytes,
        stages=[_stage_message(name, totals) for name, totals in statistics.stages.items()],
    )


def _stage_message(name: str, totals: StageTotals) -> pb.StageStatistics:
    return pb.StageStatistics(
        stage=name,
        run_count=totals.runs,
        hit_count=totals.hits,
        total_duration=duration(totals.seconds),
    )


def _check_range(value: int, low: int, high: int, field: str) -> None:
    if not low <= value <= high:
        raise InvalidArgumentError(
            f"{field} must lie between {low} and {high}.",
            reason="VALUE_OUT_OF_RANGE",
            field=field,
            minimum=low,
            maximum=high,
        )
