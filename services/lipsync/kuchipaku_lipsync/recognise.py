"""Speech in, mouth cues out: preparation, recogniser, animation and loudness put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from kuchipaku_animation.cues import MouthCue, MouthShape
from kuchipaku_contract.errors import (
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
)
from kuchipaku_contract.limits import LIMITS
from kuchipaku_lipsync.hearing import focus
from kuchipaku_lipsync.incremental import CueBuilder
from kuchipaku_lipsync.loudness import LoudnessMeter
from kuchipaku_lipsync.phones import PhoneSegment
from kuchipaku_lipsync.recognizers.aligned import AlignmentError, TextAligner
from kuchipaku_lipsync.recognizers.base import (
    AudioContent,
    Recognizer,
    RecognizerName,
    Utterance,
    WordSegment,
)
from kuchipaku_lipsync.recognizers.phonetic import PhoneticRecognizer
from kuchipaku_lipsync.recognizers.reading import (
    READINGS_MISSING,
    Language,
    check_language,
    text_language,
)
from kuchipaku_lipsync.recognizers.rhubarb_native import RhubarbProgram
from kuchipaku_lipsync.recognizers.words import WordRecognizer
from kuchipaku_lipsync.rhubarb import ALL_SHAPES, ShapeCue
from kuchipaku_lipsync.song import SongRecognizer
from kuchipaku_lipsync.speech import Speech, prepare_speech
from kuchipaku_media.audio import AudioClip


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """What the caller wants.

    `shapes` holds A to F and any of G, H, X; an empty `text` means that it is unknown. `language`
    is the text's, as a tag such as "de"; empty, it is guessed.
    """

    recognizer: RecognizerName = RecognizerName.AUTO
    text: str = ""
    shapes: frozenset[MouthShape] = ALL_SHAPES
    language: str = ""
    content: AudioContent = AudioContent.ANY

    @property
    def effective_recognizer(self) -> RecognizerName:
        """Who is to listen to a whole recording.

        With `AUTO` the one for songs if it is one, the aligner where the text is known, else the
        one for words.
        """
        if self.recognizer is not RecognizerName.AUTO:
            return self.recognizer
        if self.content is AudioContent.SONG:
            return RecognizerName.SONG
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

    def __init__(self, rhubarb: RhubarbProgram | None = None) -> None:
        """`rhubarb` is the native program; by default the one on the PATH."""
        self.rhubarb = rhubarb or RhubarbProgram()

    @cached_property
    def words(self) -> WordRecognizer:
        return WordRecognizer()

    @cached_property
    def phonetic(self) -> PhoneticRecognizer:
        return PhoneticRecognizer()

    @cached_property
    def song(self) -> SongRecognizer:
        return SongRecognizer()

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
    if options.recognizer is RecognizerName.LIVE:
        raise ValueError("live recognition takes audio as it comes: see LiveListener")
    return _steps(clip, options, recognizers or Recognizers(), fall_back=True)


def _steps(
    clip: AudioClip, options: RecognitionOptions, recognizers: Recognizers, *, fall_back: bool
) -> Iterator[Step | Outcome]:
    _check_audio(clip)
    name = options.effective_recognizer
    speech = prepare_speech(clip)
    if name is RecognizerName.RHUBARB:
        yield from _rhubarb_steps(clip, speech, options, recognizers)
        return
    content = AudioContent.SONG if name is RecognizerName.SONG else options.content
    undecided = options.recognizer is RecognizerName.AUTO and name is not RecognizerName.ALIGNED
    speech, sung = focus(speech, content, detect_song=undecided)
    if sung and undecided:
        options = replace(options, recognizer=RecognizerName.SONG)
    warnings = _audio_warnings(speech)
    builder = CueBuilder(speech.duration_cs, speech.segments, options.shapes)
    meter = LoudnessMeter(speech)
    listener = _Listener(options, recognizers, warnings if fall_back else None)
    spoken = sum(segment.duration_cs for segment in speech.segments)
    done = 0
    for utterance in listener.listen(speech):
        done += utterance.segment.duration_cs
        ready = _mouth_cues(builder.add(utterance), meter)
        yield Step(done / spoken, tuple(ready), utterance.phones, utterance.words)
    yield Step(1.0, tuple(_last_cues(builder.finish(), meter, clip.duration_s, options.shapes)))
    yield Outcome(clip.duration_s, listener.name, tuple(warnings))


def _rhubarb_steps(
    clip: AudioClip, speech: Speech, options: RecognitionOptions, recognizers: Recognizers
) -> Iterator[Step | Outcome]:
    """Rhubarb gives cues, and all of them at the end."""
    meter = LoudnessMeter(speech)
    # Its word recogniser knows English only.
    language = text_language(options.text, options.language)
    phonetic = bool(options.text.strip()) and language is not Language.ENGLISH
    text = "" if phonetic else options.text
    for part in recognizers.rhubarb.listen(speech.samples, text, options.shapes, phonetic=phonetic):
        if isinstance(part, float):
            yield Step(min(part, 0.99), ())
            continue
        cues = _last_cues(part.cues, meter, clip.duration_s, options.shapes)
        yield Step(1.0, tuple(cues), tuple(part.phones), tuple(part.words))
    yield Outcome(clip.duration_s, RecognizerName.RHUBARB, tuple(_audio_warnings(speech)))


def align_text(
    clip: AudioClip, text: str, recognizers: Recognizers | None = None, language: str = ""
) -> Recognition:
    """Words, phones and cues of a known text.

    Raises InvalidArgumentError as `recognise_stepwise` (the text's field is "text"), and with
    TEXT_NOT_UNDERSTOOD, TEXT_NEEDS_READING, LANGUAGE_NOT_ALIGNED and TEXT_DOES_NOT_MATCH where
    that falls back to another recogniser; FailedPreconditionError JAPANESE_NOT_INSTALLED.
    """
    check_text(text, "text")
    check_language(language, "language")
    if not text.strip():
        raise _text_missing("text")
    options = RecognitionOptions(RecognizerName.ALIGNED, text, language=language)
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
    check_language(options.language, "config.language")
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


class _Listener:
    """Listens for one clip; where a text cannot be aligned, another recogniser takes over."""

    def __init__(
        self,
        options: RecognitionOptions,
        recognizers: Recognizers,
        warnings: list[RecognitionNote] | None,
    ) -> None:
        """A text that cannot be aligned adds to `warnings`; it is refused where there are none."""
        self.name = options.effective_recognizer
        self._options = options
        self._recognizers = recognizers
        self._warnings = warnings

    def listen(self, speech: Speech) -> Iterator[Utterance]:
        """One utterance for each segment of the speech, as it is heard."""
        if self.name is not RecognizerName.ALIGNED:
            yield from self._recognizer().listen(speech)
            return
        heard = 0
        try:
            text, language = self._options.text, self._options.language
            for utterance in self._recognizers.aligner.align(speech, text, language):
                yield utterance
                heard += 1
        except AlignmentError as error:
            self._fall_back(error)
            rest = replace(speech, segments=speech.segments[heard:])
            yield from self._recognizer().listen(rest)

    def _fall_back(self, error: AlignmentError) -> None:
        if self._warnings is None:
            # What is not installed is no fault of the text.
            absent = error.reason == READINGS_MISSING
            kind = FailedPreconditionError if absent else InvalidArgumentError
            raise kind(error.message, reason=error.reason, field="text") from error
        # For another language English words would be the wrong thing to listen for.
        language = text_language(self._options.text, self._options.language)
        english = language is Language.ENGLISH and error.reason == "TEXT_DOES_NOT_MATCH"
        self.name = RecognizerName.WORDS if english else RecognizerName.PHONETIC
        message = f"{error.message} The {self.name} recogniser listened instead."
        self._warnings.append(RecognitionNote(error.reason, message))

    def _recognizer(self) -> Recognizer:
        if self.name is RecognizerName.PHONETIC:
            return self._recognizers.phonetic
        if self.name is RecognizerName.SONG:
            return self._recognizers.song
        return self._recognizers.words


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
