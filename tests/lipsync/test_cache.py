from __future__ import annotations

import numpy as np

from kuchipaku_animation.cues import MouthCue, MouthShape
from kuchipaku_lipsync.cache import AnswerCache, answer_key
from kuchipaku_lipsync.intake import EncodedAudio, RawAudio
from kuchipaku_lipsync.recognise import Outcome, RecognitionOptions, Step
from kuchipaku_lipsync.recognizers.base import AudioContent, RecognizerName
from kuchipaku_lipsync.rhubarb import BASIC_SHAPES


def _answer(cues: int) -> list[Step | Outcome]:
    cue = MouthCue(0.0, 1.0, MouthShape.A)
    return [Step(1.0, (cue,) * cues), Outcome(1.0, RecognizerName.WORDS, ())]


def test_what_was_used_last_is_kept() -> None:
    cache = AnswerCache(50_000)
    for name in "abc":
        cache.put(name, _answer(90))
    assert cache.get("a") is not None
    cache.put("d", _answer(90))
    assert cache.get("b") is None
    assert all(cache.get(name) is not None for name in "acd")
    assert cache.used_bytes <= 50_000


def test_the_bound_holds_whatever_comes() -> None:
    cache = AnswerCache(20_000)
    for number in range(200):
        cache.put(str(number % 7), _answer(number % 60))
        assert 0 <= cache.used_bytes <= 20_000
    cache.put("large", _answer(5_000))
    assert cache.get("large") is None


def test_a_cache_of_no_size_keeps_nothing() -> None:
    cache = AnswerCache(0)
    cache.put("a", _answer(1))
    assert cache.get("a") is None


def test_everything_that_matters_is_in_the_key() -> None:
    audio = RawAudio(np.arange(10, dtype=np.float32))
    options = RecognitionOptions(text="one")
    keys = {
        answer_key(audio, options),
        answer_key(RawAudio(np.arange(11, dtype=np.float32)), options),
        answer_key(EncodedAudio(audio.samples.tobytes()), options),
        answer_key(audio, RecognitionOptions(text="two")),
        answer_key(audio, RecognitionOptions(RecognizerName.PHONETIC, "one")),
        answer_key(audio, RecognitionOptions(text="one", shapes=BASIC_SHAPES)),
        answer_key(audio, RecognitionOptions(text="one", language="de")),
        answer_key(audio, RecognitionOptions(text="one", content=AudioContent.SPEECH)),
        answer_key(audio, RecognitionOptions(text="", language="one")),
    }
    assert len(keys) == 9
    assert answer_key(audio, options) == answer_key(
        RawAudio(audio.samples.copy()), RecognitionOptions(text="one")
    )
