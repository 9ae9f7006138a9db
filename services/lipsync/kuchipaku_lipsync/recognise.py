"""Speech in, mouth cues out: preparation, recogniser, animation and loudness put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from kuchipaku_animation.cues import MouthCue, MouthShape
from kuchipaku_contract.errors import InternalError, InvalidArgumentError
from kuchipaku_contract.limits import LIMITS
from kuchipaku_lipsync.incremental import CueBuilder
from kuchipaku_lipsync.loudness import LoudnessMeter
from kuchipaku_lipsync.phones import PhoneSegment
from kuchipaku_lipsync.recognizers.aligned import AlignmentError, TextAligner
from kuchipaku_lipsync.recognizers.base import (
    Recognizer,
    RecognizerName,
    Utterance,
    WordSegment,
)
from kuchipaku_lipsync.recognizers.phonetic import PhoneticRecognizer
from kuchipaku_lipsync.recognizers.words import WordRecognizer
from kuchipaku_lipsync.rhubarb import ALL_SHAPES, ShapeCue
from kuchipaku_lipsync.speech import Speech, prepare_speech
from kuchipaku_media.audio import AudioClip


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """What the caller wants.

    `shapes` holds A to F and any of G, H, X; an empty `text` means that it is unknown.
    """

    recognizer: RecognizerName = RecognizerName.AUTO
    text: str = ""
    shapes: frozenset[MouthShape] = ALL_SHAPES

    @property
    def effective_recognizer(self) -> RecognizerName:
        """Who is to listen: with `AUTO` the aligner where the text is known, else for words."""
        if self.recognizer is not RecognizerName.AUTO:
            return self.recognizer
        return RecognizerName.ALIGNED if self.text.strip() else RecognizerName.WORDS


@dataclass(frozen=True, slots=True)
class RecognitionNote:
    """What may explain poor cues. `reason` is UPPER_SNAKE_CASE."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Step:
    """Newly finished part of the work. Times are relative to the start of the clip."""

    fraction: float
    cues: tuple[MouthCue, ...]
    phones: tuple[PhoneSegment, ...] = ()
    words: tuple[WordSegment, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went: length in seconds, who listened in the end, and what to know about it."""

    duration: float
    recognizer: RecognizerName
    warnings: tuple[RecognitionNote, ...]


@dataclass(frozen=True, slots=True)
class Recognition:
    """All of it. The cues are contiguous over 0..`duration` seconds and neighbours differ."""

    duration: float
    cues: list[MouthCue]
    phones: list[PhoneSegment]
    words: list[WordSegment]
    recognizer: RecognizerName
    warnings: list[RecognitionNote] = field(default_factory=list)


class Recognizers:
    """Recognisers, each loaded when first needed and kept. One recognition at a time."""

    @cached_property
    def words(self) -> WordRecognizer:
        return WordRecognizer()

    @cached_property
    def phonetic(self) -> PhoneticRecognizer:
        return PhoneticRecognizer()

    @cached_property
    def aligner(self) -> TextAligner:
        return TextAligner()

    def preload(self, names: Sequence[RecognizerName]) -> None:
        """Loads the recognisers of these names now."""
        for name in names:
            if name in (RecognizerName.WORDS, RecognizerName.AUTO):
                _ = self.words
            if name in (RecognizerName.ALIGNED, RecognizerName.AUTO):
                _ = self.aligner
            if name is RecognizerName.PHONETIC:
                _ = self.phonetic


def recognise(
    clip: AudioClip,
    options: RecognitionOptions | None = None,
    recognizers: Recognizers | None = None,
) -> Recognition:
    """Mouth cues of a clip. Raises what `recognise_stepwise` raises."""
    return _collected(recognise_stepwise(clip, options, recognizers))


def _collected(steps: Iterator[Step | Outcome]) -> Recognition:
    cues: list[MouthCue] = []
    phones: list[PhoneSegment] = []
    words: list[WordSegment] = []
    for step in steps:
        if isinstance(step, Outcome):
            return Recognition(
                step.duration, cues, phones, words, step.recognizer, list(step.warnings)
            )
        cues.extend(step.cues)
        phones.extend(step.phones)
        words.extend(step.words)
    raise InternalError("The recognition ended without an outcome.")


def recognise_stepwise(
    clip: AudioClip,
    options: RecognitionOptions | None = None,
    recognizers: Recognizers | None = None,
) -> Iterator[Step | Outcome]:
    """A step for each stretch of speech as it is done, and the outcome at the end.

    Cues of a step are final and continue where those before ended; together they cover the clip
    without a gap. The fractions rise to 1. The same clip and options give the same answer.

    Raises InvalidArgumentError: AUDIO_EMPTY, AUDIO_TOO_LONG, AUDIO_NOT_FINITE (field "audio"),
    TEXT_TOO_LONG, TEXT_MISSING (aligned without a text; field "config.text").
    """
    options = options or RecognitionOptions()
    check_options(options)
    return _steps(clip, options, recognizers or Recognizers(), fall_back=True)


def _steps(
    clip: AudioClip, options: RecognitionOptions, recognizers: Recognizers, *, fall_back: bool
) -> Iterator[Step | Outcome]:
    _check_audio(clip)
    speech = prepare_speech(clip)
    warnings = _audio_warnings(speech)
    builder = CueBuilder(speech.duration_cs, speech.segments, options.shapes)
    meter = LoudnessMeter(speech)
    name, utterances = _listen(speech, options, recognizers, warnings if fall_back else None)
    spoken = sum(segment.duration_cs for segment in speech.segments)
    done = 0
    for utterance in utterances:
        done += utterance.segment.duration_cs
        ready = _mouth_cues(builder.add(utterance), meter)
        yield Step(done / spoken, tuple(ready), utterance.phones, utterance.words)
    yield Step(1.0, tuple(_last_cues(builder.finish(), meter, clip.duration_s, options.shapes)))
    yield Outcome(clip.duration_s, name, tuple(warnings))


def align_text(clip: AudioClip, text: str, recognizers: Recognizers | None = None) -> Recognition:
    """Words, phones and cues of a known text.

    Raises InvalidArgumentError as `recognise_stepwise` (the text's field is "text"), and with
    TEXT_NOT_UNDERSTOOD and TEXT_DOES_NOT_MATCH where that falls back to another recogniser.
    """
    check_text(text, "text")
    if not text.strip():
        raise _text_missing("text")
    options = RecognitionOptions(RecognizerName.ALIGNED, text)
    return _collected(_steps(clip, options, recognizers or Recognizers(), fall_back=False))


def check_text(text: str, field_name: str) -> None:
    """Refuses a text beyond the limit; reason TEXT_TOO_LONG."""
    if len(text) > LIMITS.max_text_chars:
        raise InvalidArgumentError(
            f"The text has {len(text)} characters; the limit is {LIMITS.max_text_chars}.",
            reason="TEXT_TOO_LONG",
            field=field_name,
            limit_chars=LIMITS.max_text_chars,
        )


def check_options(options: RecognitionOptions) -> None:
    """Refuses options that cannot be met, before any audio is there. Raises as
    `recognise_stepwise`.
    """
    check_text(options.text, "config.text")
    if options.recognizer is RecognizerName.ALIGNED and not options.text.strip():
        raise _text_missing("config.text")


def _text_missing(field_name: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        "Aligning needs the text that is spoken.", reason="TEXT_MISSING", field=field_name
    )


def _check_audio(clip: AudioClip) -> None:
    if len(clip.samples) == 0:
        raise InvalidArgumentError("The audio is empty.", reason="AUDIO_EMPTY", field="audio")
    if clip.duration_s > LIMITS.max_audio_duration_s:
        raise InvalidArgumentError(
            f"The audio lasts {clip.duration_s:.0f} s; the limit is "
            f"{LIMITS.max_audio_duration_s:g} s.",
            reason="AUDIO_TOO_LONG",
            field="audio",
            limit_s=LIMITS.max_audio_duration_s,
        )
    if not np.isfinite(clip.samples).all():
        raise InvalidArgumentError(
            "The audio has NaN or infinite samples.", reason="AUDIO_NOT_FINITE", field="audio"
        )


def _listen(
    speech: Speech,
    options: RecognitionOptions,
    recognizers: Recognizers,
    warnings: list[RecognitionNote] | None,
) -> tuple[RecognizerName, Iterator[Utterance]]:
    """Who listens, and what is heard.

    A text that cannot be aligned adds to `warnings`, or is refused where there are none.
    """
    name = options.effective_recognizer
    if name is RecognizerName.ALIGNED:
        try:
            return name, iter(recognizers.aligner.align(speech, options.text))
        except AlignmentError as error:
            if warnings is None:
                raise InvalidArgumentError(
                    error.message, reason=error.reason, field="text"
                ) from error
            # A text in another script tells of another language, and then English words
            # would be the wrong thing to listen for.
            foreign = error.reason == "TEXT_NOT_UNDERSTOOD"
            name = RecognizerName.PHONETIC if foreign else RecognizerName.WORDS
            warnings.append(
                RecognitionNote(
                    error.reason, f"{error.message} The {name} recogniser listened instead."
                )
            )
    recognizer: Recognizer = (
        recognizers.phonetic if name is RecognizerName.PHONETIC else recognizers.words
    )
    return name, recognizer.listen(speech)


def _audio_warnings(speech: Speech) -> list[RecognitionNote]:
    warnings = []
    if not speech.segments:
        warnings.append(RecognitionNote("NO_SPEECH", "No speech was found in the audio."))
    if speech.boosted:
        warnings.append(
            RecognitionNote(
                "AUDIO_TOO_QUIET",
                f"The audio is very quiet ({speech.loudest_dbfs:.0f} dBFS at its loudest); it was "
                "raised before recognition.",
            )
        )
    if speech.clipped:
        warnings.append(
            RecognitionNote("AUDIO_CLIPPED", "The audio is clipped; recognition may suffer.")
        )
    return warnings


def _mouth_cues(cues: Sequence[ShapeCue], meter: LoudnessMeter) -> list[MouthCue]:
    return [
        MouthCue(
            start=cue.start_cs / 100,
            end=cue.end_cs / 100,
            shape=cue.shape,
            loudness=meter.over(cue.start_cs, cue.end_cs),
        )
        for cue in cues
    ]


def _last_cues(
    cues: Sequence[ShapeCue],
    meter: LoudnessMeter,
    duration: float,
    shapes: frozenset[MouthShape],
) -> list[MouthCue]:
    """The last cues, drawn out to the true end of the clip."""
    result = _mouth_cues(cues, meter)
    if not result:
        rest = MouthShape.X if MouthShape.X in shapes else MouthShape.A
        return [MouthCue(start=0.0, end=duration, shape=rest, loudness=0.0)]
    last = result[-1]
    result[-1] = MouthCue(last.start, max(duration, last.end), last.shape, last.loudness)
    return result
