"""Seconds as the domain counts them and protobuf's durations."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

_NANOS_PER_S = 1_000_000_000


def seconds_of(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.seconds + duration.nanos / _NANOS_PER_S


def duration_of(seconds: float) -> Duration:
    """Seconds >= 0 as a duration."""
    whole, nanos = divmod(round(seconds * _NANOS_PER_S), _NANOS_PER_S)
    return Duration(seconds=whole, nanos=nanos)
