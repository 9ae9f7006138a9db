"""Between the messages of the protocol and the domain's own types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration

from kuchipaku.lipsync.v1 import lipsync_service_pb2 as pb
from kuchipaku.type.v1 import audio_pb2, cue_pb2
from kuchipaku_animation.cues import MouthCue, MouthShape
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_lipsync.intake import AudioLayout
from kuchipaku_lipsync.phones import Phone, PhoneSegment
from kuchipaku_lipsync.recognise import RecognitionNote, RecognitionOptions, check_options
from kuchipaku_lipsync.recognizers.base import AudioContent, RecognizerName, WordSegment
from kuchipaku_lipsync.rhubarb import ALL_SHAPES, BASIC_SHAPES
from kuchipaku_media.pcm import PcmFormat

_NANOS_PER_S: Final = 10**9

_RECOGNIZERS: Final = {
    pb.RECOGNIZER_UNSPECIFIED: RecognizerName.AUTO,
    pb.RECOGNIZER_AUTO: RecognizerName.AUTO,
    pb.RECOGNIZER_ALIGNED: RecognizerName.ALIGNED,
    pb.RECOGNIZER_WORDS: RecognizerName.WORDS,
    pb.RECOGNIZER_PHONETIC: RecognizerName.PHONETIC,
    pb.RECOGNIZER_RHUBARB: RecognizerName.RHUBARB,
    pb.RECOGNIZER_LIVE: RecognizerName.LIVE,
    pb.RECOGNIZER_SONG: RecognizerName.SONG,
}
_RECOGNIZER_ENUMS: Final = {
    RecognizerName.AUTO: pb.RECOGNIZER_AUTO,
    RecognizerName.ALIGNED: pb.RECOGNIZER_ALIGNED,
    RecognizerName.WORDS: pb.RECOGNIZER_WORDS,
    RecognizerName.PHONETIC: pb.RECOGNIZER_PHONETIC,
    RecognizerName.RHUBARB: pb.RECOGNIZER_RHUBARB,
    RecognizerName.LIVE: pb.RECOGNIZER_LIVE,
    RecognizerName.SONG: pb.RECOGNIZER_SONG,
}
_CONTENTS: Final = {
    pb.AUDIO_CONTENT_UNSPECIFIED: AudioContent.ANY,
    pb.AUDIO_CONTENT_SPEECH: AudioContent.SPEECH,
    pb.AUDIO_CONTENT_SONG: AudioContent.SONG,
}
_PCM_FORMATS: Final = {
    audio_pb2.AUDIO_ENCODING_PCM_S16LE: PcmFormat.S16LE,
    audio_pb2.AUDIO_ENCODING_PCM_F32LE: PcmFormat.F32LE,
}
_SHAPE_ENUMS: Final = {
    shape: cue_pb2.MouthShape.Value(f"MOUTH_SHAPE_{shape.value}") for shape in MouthShape
}
_SHAPES: Final = {value: shape for shape, value in _SHAPE_ENUMS.items()}
_EXTENDED: Final = ALL_SHAPES - BASIC_SHAPES


def audio_layout(audio_format: audio_pb2.AudioFormat, field: str) -> AudioLayout:
    """How to read the audio. Raises InvalidArgumentError with AUDIO_ENCODING_UNKNOWN."""
    if audio_format.encoding == audio_pb2.AUDIO_ENCODING_UNSPECIFIED:
        return AudioLayout()
    pcm_format = _PCM_FORMATS.get(audio_format.encoding)
    if pcm_format is None:
        raise InvalidArgumentError(
            "The audio encoding is not known.",
            reason="AUDIO_ENCODING_UNKNOWN",
            field=f"{field}.encoding",
        )
    channels = audio_format.channel_count or 1
    return AudioLayout(pcm_format, audio_format.sample_rate_hertz, channels)


def recognition_options(config: pb.RecognizeCuesConfig) -> RecognitionOptions:
    """What the caller wants, checked. Raises InvalidArgumentError."""
    recognizer = _RECOGNIZERS.get(config.recognizer)
    if recognizer is None:
        raise InvalidArgumentError(
            "The recogniser is not known.",
            reason="ENUM_VALUE_UNKNOWN",
            field="config.recognizer",
        )
    content = _CONTENTS.get(config.content)
    if content is None:
        raise InvalidArgumentError(
            "The content is not known.", reason="ENUM_VALUE_UNKNOWN", field="config.content"
        )
    shapes = _allowed_shapes(config)
    options = RecognitionOptions(recognizer, config.text, shapes, config.language, content)
    check_options(options)
    return options


def _allowed_shapes(config: pb.RecognizeCuesConfig) -> frozenset[MouthShape]:
    extended = set()
    for index, value in enumerate(config.extended_shapes):
        shape = _SHAPES.get(value)
        if shape not in _EXTENDED:
            raise InvalidArgumentError(
                "Only the shapes G, H and X are extended shapes; A to F are always used.",
                reason="SHAPE_NOT_EXTENDED",
                field=f"config.extended_shapes[{index}]",
            )
        extended.add(shape)
    if config.basic_shapes_only and extended:
        raise InvalidArgumentError(
            "Extended shapes are listed although only the basic ones are to be used.",
            reason="SHAPES_CONTRADICT",
            field="config.basic_shapes_only",
        )
    if config.basic_shapes_only:
        return BASIC_SHAPES
    return BASIC_SHAPES | extended if extended else ALL_SHAPES


def effective_config(
    config: pb.RecognizeCuesConfig, options: RecognitionOptions
) -> pb.RecognizeCuesConfig:
    """The config with everything that was left open filled in."""
    effective = pb.RecognizeCuesConfig()
    effective.CopyFrom(config)
    effective.recognizer = recognizer_enum(options.recognizer)
    del effective.extended_shapes[:]
    effective.extended_shapes.extend(
        _SHAPE_ENUMS[shape] for shape in sorted(options.shapes - BASIC_SHAPES)
    )
    if effective.audio_format.encoding != audio_pb2.AUDIO_ENCODING_UNSPECIFIED:
        effective.audio_format.channel_count = effective.audio_format.channel_count or 1
    return effective


def recognizer_enum(name: RecognizerName) -> pb.Recognizer.ValueType:
    """The protocol's value for a recogniser."""
    return _RECOGNIZER_ENUMS[name]


def shape_enum(shape: MouthShape) -> cue_pb2.MouthShape.ValueType:
    """The protocol's value for a shape."""
    return _SHAPE_ENUMS[shape]


def duration_of(seconds: float) -> Duration:
    """Seconds >= 0 as a protobuf duration."""
    whole, nanos = divmod(round(seconds * _NANOS_PER_S), _NANOS_PER_S)
    return Duration(seconds=whole, nanos=nanos)


def seconds_of(duration: Duration) -> float:
    """A protobuf duration in seconds."""
    return float(duration.seconds + duration.nanos / _NANOS_PER_S)


def cue_messages(cues: Sequence[MouthCue]) -> list[cue_pb2.MouthCue]:
    """Cues as messages."""
    return [
        cue_pb2.MouthCue(
            start_offset=duration_of(cue.start),
            end_offset=duration_of(cue.end),
            shape=_SHAPE_ENUMS[cue.shape],
            loudness=cue.loudness,
        )
        for cue in cues
    ]


def phone_messages(phones: Sequence[PhoneSegment]) -> list[cue_pb2.Phone]:
    """Phones as messages: ARPAbet symbols, AX for schwa, and names for sounds that are none."""
    return [
        cue_pb2.Phone(
            start_offset=duration_of(phone.start),
            end_offset=duration_of(phone.end),
            symbol="AX" if phone.phone is Phone.SCHWA else phone.phone.value.upper(),
        )
        for phone in phones
    ]


def word_messages(words: Sequence[WordSegment]) -> list[cue_pb2.Word]:
    """Words as messages."""
    return [
        cue_pb2.Word(
            start_offset=duration_of(word.start), end_offset=duration_of(word.end), text=word.text
        )
        for word in words
    ]


def warning_messages(notes: Sequence[RecognitionNote]) -> list[pb.RecognitionWarning]:
    """Notes on the recognition as messages."""
    return [pb.RecognitionWarning(reason=note.reason, message=note.message) for note in notes]
