"""What of a recording is to be listened to: speech, or a song, and not music or noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kuchipaku_lipsync.recognizers.base import AudioContent
from kuchipaku_lipsync.song import is_singing
from kuchipaku_lipsync.speech import SAMPLES_PER_CS, Speech
from kuchipaku_lipsync.speechgate import only_speech, speech_regions

# Of the sound's time; where less of it is speech, somebody may be singing.
_MAX_SPOKEN_SHARE = 0.5


def focus(speech: Speech, content: AudioContent, *, detect_song: bool) -> tuple[Speech, bool]:
    """The recording with the stretches that ``content`` asks for, and whether they are a song.

    With ``detect_song`` the content `ANY` may turn out to be a song; else it means speech.
    """
    if content is AudioContent.SONG:
        return speech, True
    if not speech.segments:
        return speech, False
    samples = speech.samples.astype(np.float32) / 32_768.0
    spoken = only_speech(speech.segments, speech_regions(samples))
    sound_cs = sum(segment.duration_cs for segment in speech.segments)
    spoken_cs = sum(segment.duration_cs for segment in spoken)
    maybe_song = content is AudioContent.ANY and detect_song
    if maybe_song and spoken_cs < _MAX_SPOKEN_SHARE * sound_cs and _sung(speech, samples):
        return speech, True
    return replace(speech, segments=spoken), False


def _sung(speech: Speech, samples: NDArray[np.float32]) -> bool:
    parts = [
        samples[segment.start_cs * SAMPLES_PER_CS : segment.end_cs * SAMPLES_PER_CS]
        for segment in speech.segments
    ]
    return is_singing(np.concatenate(parts))
