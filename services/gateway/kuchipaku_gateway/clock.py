"""When the utterances of a session are due: each by its own clock, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from google.protobuf.duration_pb2 import Duration

from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb
from kuchipaku.type.v1 import audio_pb2, session_pb2
from kuchipaku_contract.errors import InvalidArgumentError

from .utterance import Utterance, listens

_DEFAULT_LEAD_S = 0.1
_MAX_PLAYBACK_DELAY_S = 10.0
_JITTER_S = 0.05
"""Live audio may come so much out of step before the clock follows it."""
_SAMPLE_BYTES = {
    audio_pb2.AUDIO_ENCODING_PCM_S16LE: 2,
    audio_pb2.AUDIO_ENCODING_PCM_F32LE: 4,
}


class SessionClock:
    """The clock of a session with real-time pacing; without that nothing is ever due."""

    def __init__(self, config: pb.SpeakConfig, clock: Callable[[], float] | None = None) -> None:
        """Keep time for a session, by `clock` or the event loop's.

        Raises `InvalidArgumentError`, PLAYBACK_DELAY_OUT_OF_RANGE.
        """
        self._now = clock or now
        self._live = config.pacing == session_pb2.PACING_REAL_TIME
        self._lead_s = _DEFAULT_LEAD_S
        if config.HasField("max_lead"):
            self._lead_s = seconds_of(config.max_lead)
        self._delay_s: float | None = None
        if config.HasField("playback_delay"):
            self._delay_s = _playback_delay_s(config.playback_delay)
        sound = config.audio_format
        width = _SAMPLE_BYTES.get(sound.encoding, 0)
        self._bytes_per_s = width * sound.sample_rate_hertz * max(1, sound.channel_count)
        self._free_at = 0.0

    def heard(self, utterance: Utterance, audio_bytes: int) -> None:
        """Audio or timings of an utterance have come.

        A whole line's clock depends on when it began to come. Speech that is still being spoken
        takes its clock along: after a pause in which nothing came the rest is due that much later.
        """
        came_at = self._now()
        if utterance.heard_at is None:
            utterance.heard_at = came_at
        elif utterance.live_delay_s is not None and self._bytes_per_s:
            began_at = came_at - utterance.heard_bytes / self._bytes_per_s
            if abs(began_at - utterance.heard_at) > _JITTER_S:
                utterance.heard_at = began_at
        utterance.heard_bytes += audio_bytes

    def listening_live(self, utterance: Utterance, delay_s: float) -> None:
        """Speech that is recognised as it comes is due so much later, unless the client says.

        Of coded audio nobody here knows which part of the speech it holds, and timings are known
        as a whole.
        """
        is_raw = listens(utterance.spec.timing) and self._bytes_per_s
        if is_raw and not utterance.input_ended:
            utterance.live_delay_s = delay_s

    def start_of(self, utterance: Utterance) -> float | None:
        """When the utterance's offset 0 is due, if that is known yet."""
        delay_s = self._delay_s if self._delay_s is not None else utterance.live_delay_s
        resumed = utterance.spec.HasField("resume_offset")
        if not self._live or utterance.heard_at is None or delay_s is None or resumed:
            return None
        return max(utterance.heard_at + delay_s, self._free_at)

    def tell(self, utterance: Utterance) -> pose_pb.AnimateRequest | None:
        """What the pose service is told when the clock is known or has changed, else None."""
        start = self.start_of(utterance)
        if start is None or start == utterance.starts_at:
            return None
        utterance.starts_at = start
        delay = Duration()
        delay.FromNanoseconds(round((start - self._now()) * 1e9))
        return pose_pb.AnimateRequest(clock=pose_pb.AnimateClock(start_delay=delay))

    async def turn(self, interrupted: asyncio.Event) -> None:
        """Let the line before be heard to its end, less the lead.

        Its frames have all been sent by then; without the wait the lead would grow by every line.
        """
        if self._live:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._free_at - self._lead_s):
                    await interrupted.wait()

    def ended(self, utterance: Utterance, first_frame_at: float, duration_s: float) -> None:
        """An utterance has been drawn: it is over when its clock says.

        `first_frame_at` is 0 where no frame came; `duration_s` counts from the offset 0.
        """
        start = utterance.starts_at
        if utterance.feed.interrupted.is_set():
            self._free_at = 0.0
        elif start is not None:
            self._free_at = start + duration_s
        elif first_frame_at:
            # By default it was due when the line before had ended, however early it came.
            left_out_s = seconds_of(utterance.spec.resume_offset)
            self._free_at = max(first_frame_at, self._free_at) + duration_s - left_out_s


def now() -> float:
    """The event loop's time, in which the clocks are."""
    return asyncio.get_running_loop().time()


def seconds_of(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.seconds + duration.nanos / 1e9


def _playback_delay_s(delay: Duration) -> float:
    delay_s = seconds_of(delay)
    if not 0.0 <= delay_s <= _MAX_PLAYBACK_DELAY_S:
        raise InvalidArgumentError(
            f"playback_delay must lie between 0 and {_MAX_PLAYBACK_DELAY_S:g} s.",
            reason="PLAYBACK_DELAY_OUT_OF_RANGE",
            field="config.playback_delay",
            maximum=_MAX_PLAYBACK_DELAY_S,
        )
    return delay_s
