"""An utterance of a session: what the client said about it, and what it turns into."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from kuchipaku.gateway.v1 import gateway_service_pb2 as pb
from kuchipaku.lipsync.v1 import lipsync_service_pb2 as lipsync_pb
from kuchipaku.pose.v1 import pose_service_pb2 as pose_pb
from kuchipaku.type.v1 import session_pb2
from kuchipaku_contract.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    UnimplementedError,
)
from kuchipaku_contract.limits import LIMITS
from kuchipaku_contract.streams import check_chunk

from .feed import Feed
from .listening import Heard


@dataclass(slots=True, eq=False)
class Utterance:
    """From its first message to its summary."""

    spec: pb.SpeakUtterance
    feed: Feed
    input_ended: bool = False
    speaking: bool = False
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
        """Whether the mouth's timing comes from the audio."""
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
        elif kind == "audio" and self.recognises:
            check_chunk(request.audio.data)
            self.feed.add_audio(request.audio.data)
        elif kind == "cues" and not self.recognises:
            self.feed.add(pose_pb.AnimateRequest(cues=request.cues))
        else:
            raise FailedPreconditionError(
                f"The utterance's timing does not come from {kind}.",
                reason="TIMING_SOURCE_MISMATCH",
                field=kind,
            )

    def end(self, end: session_pb2.UtteranceEnd) -> None:
        """No more input comes."""
        if self.input_ended:
            return
        self.input_ended = True
        self.feed.end_audio()
        if not self.recognises:
            self.feed.add(pose_pb.AnimateRequest(utterance_end=end))


def recognises(timing: pb.TimingSource.ValueType) -> bool:
    """Whether a timing source means that lip sync has to listen."""
    return timing in (pb.TIMING_SOURCE_UNSPECIFIED, pb.TIMING_SOURCE_AUDIO)


def check_timing(timing: pb.TimingSource.ValueType, field_path: str) -> None:
    """Raise `UnimplementedError` for a timing source that is not offered."""
    if timing in (pb.TIMING_SOURCE_PHONES, pb.TIMING_SOURCE_VISEMES):
        raise UnimplementedError(
            "Phones and visemes in place of audio are not offered yet; send cues or audio.",
            reason="TIMING_SOURCE_NOT_OFFERED",
            field=field_path,
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
    check_timing(spec.timing, "utterance.timing")
    if frames_disabled and not recognises(spec.timing):
        raise InvalidArgumentError(
            "A session without frames has nothing to do for an utterance whose cues are known.",
            reason="TIMING_SOURCE_MISMATCH",
            field="utterance.timing",
        )


def recognize_config(
    config: pb.SpeakConfig, spec: pb.SpeakUtterance
) -> lipsync_pb.RecognizeCuesConfig:
    """What lip sync is told."""
    return lipsync_pb.RecognizeCuesConfig(
        audio_format=config.audio_format, text=spec.text, recognizer=config.recognizer
    )
