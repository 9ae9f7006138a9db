"""An utterance of a session: what the client said about it, and what it turns into."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.duration_pb2 import Duration

from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync_pb
from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb
from kuchipaku.type.v1 import session_pb2
from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_contract.streams import check_chunk
from kuchipaku_runtime.tracing import Span

from .feed import Feed
from .listening import Heard

# The messages that the mouth's timing comes in.
_INPUTS: Final = {
    pb.TIMING_SOURCE_UNSPECIFIED: "audio",
    pb.TIMING_SOURCE_AUDIO: "audio",
    pb.TIMING_SOURCE_CUES: "cues",
    pb.TIMING_SOURCE_PHONES: "phones",
    pb.TIMING_SOURCE_VISEMES: "visemes",
}


@dataclass(slots=True, eq=False)
class Utterance:
    """From its first message to its summary."""

    spec: pb.SpeakUtterance
    feed: Feed
    input_ended: bool = False
    given_end: session_pb2.UtteranceEnd = field(default_factory=session_pb2.UtteranceEnd)
    """What the client said of its end."""
    speaking: bool = False
    playing: bool = False
    """Whether the pose service listens to it."""
    heard_at: float | None = None
    """When its audio or timings began to come, by the event loop's clock."""
    heard_bytes: int = 0
    """Audio that has come."""
    live_delay_s: float | None = None
    """How long after that live speech is due."""
    starts_at: float | None = None
    """When its offset 0 is due, once the pose service has been told."""
    span: Span = field(default_factory=Span)
    """Its trace: one for each utterance, through all services."""
    heard: asyncio.Future[Heard] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    """Set when lip sync is done, or when it is not needed."""

    @property
    def name(self) -> str:
        """The utterance's id."""
        return self.spec.utterance_id

    @property
    def recognises(self) -> bool:
        """Whether lip sync makes the cues."""
        return recognises(self.spec.timing)

    def add(self, request: pb.SpeakRequest, kind: str) -> None:
        """Take one of the messages that belong to the utterance.

        Raises `FailedPreconditionError` for messages that do not fit, and like `Room.take`.
        """
        if self.input_ended:
            raise FailedPreconditionError(
                "The utterance has ended; begin another one.", reason="UTTERANCE_ENDED", field=kind
            )
        if kind == "utterance_end":
            self.end(request.utterance_end)
        elif kind == "expressions":
            self.feed.add(pose_pb.AnimateRequest(expressions=request.expressions))
        elif kind != timing_input(self.spec.timing):
            raise FailedPreconditionError(
                f"The utterance's timing does not come from {kind}.",
                reason="TIMING_SOURCE_MISMATCH",
                field=kind,
            )
        elif kind == "audio":
            check_chunk(request.audio.data)
            self.feed.add_audio(request.audio.data)
        elif kind == "cues":
            self.feed.add(pose_pb.AnimateRequest(cues=request.cues))
        else:
            self.feed.add_speech(timings(request))

    def end(self, end: session_pb2.UtteranceEnd) -> None:
        """No more input comes."""
        if self.input_ended:
            return
        self.input_ended = True
        self.given_end = end
        self.feed.end_audio()
        if not self.recognises:
            self.feed.add(pose_pb.AnimateRequest(utterance_end=end))

    def end_after(self, summary: lipsync_pb.RecognizeCuesSummary) -> session_pb2.UtteranceEnd:
        """Where the frames end: with the audio, or with the timings if the client told no end."""
        if listens(self.spec.timing) or not self.given_end.HasField("duration"):
            return session_pb2.UtteranceEnd(duration=summary.duration)
        return self.given_end


def timing_input(timing: pb.TimingSource.ValueType) -> str:
    """The kind of message that a timing source comes in."""
    return _INPUTS[timing]


def recognises(timing: pb.TimingSource.ValueType) -> bool:
    """Whether lip sync makes the cues, from audio or from timings."""
    return timing != pb.TIMING_SOURCE_CUES


def listens(timing: pb.TimingSource.ValueType) -> bool:
    """Whether lip sync listens to audio."""
    return timing_input(timing) == "audio"


def timings(request: pb.SpeakRequest | pb.RenderVideoRequest) -> lipsync_pb.RecognizeCuesRequest:
    """Phones or visemes as lip sync takes them."""
    if request.HasField("phones"):
        return lipsync_pb.RecognizeCuesRequest(phones=request.phones)
    return lipsync_pb.RecognizeCuesRequest(visemes=request.visemes)


def check_timing(timing: pb.TimingSource.ValueType, field_path: str) -> None:
    """Raise `InvalidArgumentError` for a timing source that is none."""
    if timing not in _INPUTS:
        raise InvalidArgumentError(
            "The timing source is not known.", reason="ENUM_VALUE_UNKNOWN", field=field_path
        )


def check_text(text: str, field_path: str) -> None:
    """Raise `InvalidArgumentError` for too long a text."""
    if len(text) > LIMITS.max_text_chars:
        raise InvalidArgumentError(
            f"The text has at most {LIMITS.max_text_chars} characters.",
            reason="TEXT_TOO_LONG",
            field=field_path,
            limit=LIMITS.max_text_chars,
        )


def check_language(language: str, field_path: str) -> None:
    """Raise `InvalidArgumentError` for what is too long to name a language."""
    if len(language) > LIMITS.max_language_chars:
        raise InvalidArgumentError(
            f"A language's tag has at most {LIMITS.max_language_chars} characters.",
            reason="LANGUAGE_INVALID",
            field=field_path,
            limit=LIMITS.max_language_chars,
        )


def check_utterance(spec: pb.SpeakUtterance, *, frames_disabled: bool) -> None:
    """Raise what is wrong with the beginning of an utterance."""
    if len(spec.utterance_id) > LIMITS.max_utterance_id_chars:
        raise InvalidArgumentError(
            f"An utterance's id has at most {LIMITS.max_utterance_id_chars} characters.",
            reason="UTTERANCE_ID_TOO_LONG",
            field="utterance.utterance_id",
            limit=LIMITS.max_utterance_id_chars,
        )
    check_text(spec.text, "utterance.text")
    check_language(spec.language, "utterance.language")
    check_timing(spec.timing, "utterance.timing")
    if frames_disabled and not recognises(spec.timing):
        raise InvalidArgumentError(
            "A session without frames has nothing to do for an utterance whose cues are known.",
            reason="TIMING_SOURCE_MISMATCH",
            field="utterance.timing",
        )


def check_duration(duration: Duration) -> None:
    """Raise `InvalidArgumentError` for speech that is too long to be animated."""
    limit_s = LIMITS.max_audio_duration_s
    if duration.ToNanoseconds() > limit_s * 1e9:
        raise InvalidArgumentError(
            f"An utterance with frames lasts at most {limit_s:g} s; end it and begin another.",
            reason="AUDIO_TOO_LONG",
            field="audio",
            limit_s=limit_s,
        )


def recognize_config(
    config: pb.SpeakConfig, spec: pb.SpeakUtterance
) -> lipsync_pb.RecognizeCuesConfig:
    """What lip sync is told."""
    if not listens(spec.timing):
        return lipsync_pb.RecognizeCuesConfig()
    told = lipsync_pb.RecognizeCuesConfig(
        language=spec.language,
        audio_format=config.audio_format,
        text=spec.text,
        recognizer=config.recognizer,
        content=config.content,
    )
    if config.HasField("live_latency"):
        told.live_latency.CopyFrom(config.live_latency)
    return told
