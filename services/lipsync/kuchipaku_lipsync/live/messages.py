"""Between the messages of the protocol and live recognition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb
from kuchipaku.type.v1 import cue_pb2
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_lipsync import convert
from kuchipaku_lipsync.intake import AudioLayout
from kuchipaku_lipsync.live.listener import (
    DEFAULT_LATENCY_S,
    MAX_LATENCY_S,
    MIN_LATENCY_S,
    LiveCue,
    LiveOptions,
    LiveStep,
    LiveSummary,
)
from kuchipaku_lipsync.recognise import RecognitionNote, RecognitionOptions
from kuchipaku_lipsync.recognizers.base import AudioContent, RecognizerName


def live_options(config: pb.RecognizeCuesConfig, options: RecognitionOptions) -> LiveOptions:
    """How to listen live. Raises InvalidArgumentError LIVE_LATENCY_OUT_OF_RANGE."""
    latency_s = DEFAULT_LATENCY_S
    if config.HasField("live_latency"):
        latency_s = convert.seconds_of(config.live_latency)
    if not MIN_LATENCY_S <= latency_s <= MAX_LATENCY_S:
        raise InvalidArgumentError(
            f"The latency has to lie between {MIN_LATENCY_S:g} and {MAX_LATENCY_S:g} s.",
            reason="LIVE_LATENCY_OUT_OF_RANGE",
            field="config.live_latency",
        )
    return LiveOptions(
        latency_s,
        options.shapes,
        song=options.content is AudioContent.SONG,
        provisional=config.include_provisional_cues,
        text=options.text,
        language=options.language,
    )


def block_bytes(layout: AudioLayout, options: LiveOptions) -> int:
    """Bytes of the audio that lead to new cues; 1 where that is not known."""
    if layout.pcm_format is None:
        return 1
    samples = layout.sample_rate * options.hop_cs // 100
    return samples * layout.channels * layout.pcm_format.dtype.itemsize


def live_responses(
    part: LiveStep | LiveSummary, config: pb.RecognizeCuesConfig
) -> Iterator[pb.RecognizeCuesResponse]:
    """What a client is sent."""
    if isinstance(part, LiveSummary):
        yield pb.RecognizeCuesResponse(summary=_summary(part))
        return
    if config.include_phones and part.phones:
        phones = convert.phone_messages(part.phones)
        yield pb.RecognizeCuesResponse(phones=cue_pb2.PhoneBatch(phones=phones))
    if part.cues:
        yield pb.RecognizeCuesResponse(cues=_batch(part.cues))
    if part.provisional:
        yield pb.RecognizeCuesResponse(provisional_cues=_batch(part.provisional))


def _batch(cues: Sequence[LiveCue]) -> cue_pb2.CueBatch:
    return cue_pb2.CueBatch(
        cues=[
            cue_pb2.MouthCue(
                start_offset=convert.duration_of(cue.start),
                end_offset=convert.duration_of(cue.end),
                shape=convert.shape_enum(cue.shape),
                loudness=cue.loudness,
                open_ended=cue.open_ended,
            )
            for cue in cues
        ]
    )


def _summary(summary: LiveSummary) -> pb.RecognizeCuesSummary:
    notes = []
    if summary.text_note is not None:
        notes.append(RecognitionNote(*summary.text_note))
    if not summary.heard_speech:
        notes.append(RecognitionNote("NO_SPEECH", "No speech was found in the audio."))
    if summary.boosted:
        notes.append(
            RecognitionNote(
                "AUDIO_TOO_QUIET",
                f"The audio is very quiet ({summary.loudest_dbfs:.0f} dBFS at its loudest); it "
                "was raised before recognition.",
            )
        )
    if summary.clipped:
        notes.append(
            RecognitionNote("AUDIO_CLIPPED", "The audio is clipped; recognition may suffer.")
        )
    return pb.RecognizeCuesSummary(
        duration=convert.duration_of(summary.duration),
        recognizer=convert.recognizer_enum(RecognizerName.LIVE),
        warnings=convert.warning_messages(notes),
    )
