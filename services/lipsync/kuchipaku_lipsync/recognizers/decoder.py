"""pocketsphinx decoders, set up to hear what Rhubarb's own pocketsphinx hears.

Settings after Rhubarb (recognition/PocketSphinxRecognizer.cpp and PhoneticRecognizer.cpp) and
the PTM model of the pocketsphinx package. A decoder serves one call at a time.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder, get_model_path

from kuchipaku_lipsync.phones import Phone

# Digital silence breaks the logarithms of the front end, so one sample in four is raised by one
# step. The decoder can do that itself, but from a random state that lives on between calls: the
# same audio would not give the same cues twice.
_DITHER_SHARE = 4

# Those of the acoustic model.
_NO_PHONES = {Phone.SCHWA, Phone.BREATH, Phone.COUGH, Phone.SMACK, Phone.NOISE}
PHONE_NAMES = [phone.value for phone in Phone if phone not in _NO_PHONES]

_CHAIN = "words"
_PHONE = "phone_"


class Span(NamedTuple):
    """A word or phone as the decoder names it, in frames of 10 ms from the start of the audio."""

    name: str
    start: int
    end: int


class ScoredSpan(NamedTuple):
    """A `Span` with its acoustic score: a logarithm, summed over the frames; 0 is best."""

    name: str
    start: int
    end: int
    score: int


def word_decoder() -> Any:
    """Recognises English words with the general language model.

    Limiting the hypotheses per frame costs nothing in accuracy and saves a third of the time.
    """
    return Decoder(maxhmmpf=5000, cmn="batch", dither=False, loglevel="FATAL")


def phone_decoder() -> Any:
    """Recognises phones with a phone language model, without words."""
    return Decoder(
        lm=None,
        dict=None,
        allphone=get_model_path("en-us/en-us-phone.lm.bin"),
        allphone_ci=True,
        lw=0.8,
        beam=1e-20,
        pbeam=1e-20,
        cmn="batch",
        dither=False,
        loglevel="FATAL",
    )


def live_phone_decoder() -> Any:
    """Recognises phones as `phone_decoder`, from audio that is still coming.

    The mean that each cepstrum is freed of follows the audio, since that of the whole utterance
    is not known yet. Of each mixture only the two best Gaussians count and the beams are narrower,
    which costs nothing in accuracy and saves a third of the time.
    """
    return Decoder(
        lm=None,
        dict=None,
        allphone=get_model_path("en-us/en-us-phone.lm.bin"),
        allphone_ci=True,
        lw=0.8,
        beam=1e-6,
        pbeam=1e-6,
        topn=2,
        cmn="live",
        dither=False,
        loglevel="FATAL",
    )


def live_text_decoder() -> Any:
    """Finds phones that are known, from audio that is still coming: see `follow_phones`.

    Each phone is a word of its own, so that the decoder tells while it listens which of them are
    over.
    """
    with NamedTemporaryFile("w", suffix=".dict") as dictionary:
        dictionary.writelines(f"{_PHONE}{phone} {phone}\n" for phone in PHONE_NAMES)
        dictionary.flush()
        return Decoder(
            lm=None,
            dict=dictionary.name,
            beam=1e-100,
            wbeam=1e-100,
            pbeam=1e-100,
            silprob=0.1,
            topn=2,
            bestpath=False,
            cmn="live",
            dither=False,
            loglevel="FATAL",
        )


def follow_phones(decoder: Any, phones: Sequence[str]) -> None:
    """Sets a decoder of `live_text_decoder` on these phones, for its next utterance."""
    chain = [(at, at + 1, 1.0, f"{_PHONE}{phone}") for at, phone in enumerate(phones)]
    decoder.add_fsg(_CHAIN, decoder.create_fsg(_CHAIN, 0, len(phones), chain))
    decoder.activate_search(_CHAIN)


def followed(decoder: Any) -> Iterator[Span]:
    """The phones of `follow_phones` that are over by now."""
    for entry in decoder.seg() or ():
        if entry.word.startswith(_PHONE):
            name = entry.word.removeprefix(_PHONE)
            yield Span(name, entry.start_frame, entry.end_frame + 1)


def aligning_decoder() -> Any:
    """Finds known words.

    The beams are so wide that the right words always survive, and still keep the work in
    proportion to the length of the audio; a text that is lost nevertheless is a wrong one. The
    search over the lattice that follows by default fails on long utterances and adds nothing
    where the words are known.
    """
    return Decoder(
        lm=None,
        beam=1e-300,
        wbeam=1e-300,
        pbeam=1e-300,
        bestpath=False,
        cmn="batch",
        dither=False,
        loglevel="FATAL",
    )


def dithered(samples: NDArray[np.int16]) -> bytes:
    """The int16 samples (n,) with the least significant bit dithered, the same way each time."""
    raised = np.random.default_rng(len(samples)).integers(_DITHER_SHARE, size=len(samples)) == 0
    result: NDArray[np.int16] = samples + (raised & (samples < np.iinfo(np.int16).max))
    return result.astype("<i2").tobytes()


def decode(decoder: Any, audio: bytes) -> None:
    """Runs the decoder's current search over one whole utterance.

    Raises RuntimeError when the search finds no path to the end.
    """
    with warnings.catch_warnings():
        # Called unnecessary by its own deprecation, but without it the noise estimate of the
        # utterance before colours this one: the same audio would not give the same cues twice.
        warnings.simplefilter("ignore", DeprecationWarning)
        decoder.start_stream()
    decoder.start_utt()
    try:
        decoder.process_raw(audio, False, True)
    finally:
        decoder.end_utt()


def find_words(decoder: Any, audio: bytes, words: Sequence[str], fewest: int) -> bool:
    """Finds the given words, or as many of the first of them, from `fewest` on, as fit best.

    False when there is no way through them. The search stays active for `align_phones`.
    """
    if fewest >= len(words):
        decoder.set_align_text(" ".join(words))
    else:
        # A chain of words; from the one before `fewest` on each may be the last as well.
        last = len(words)
        chain = [(state, state + 1, 1.0, word) for state, word in enumerate(words)]
        exits = [(state, last, 1.0, words[state]) for state in range(fewest - 1, last - 1)]
        decoder.add_fsg(_CHAIN, decoder.create_fsg(_CHAIN, 0, last, chain + exits))
        decoder.activate_search(_CHAIN)
    decode(decoder, audio)
    return decoder.seg() is not None


def heard(decoder: Any) -> Iterator[Span]:
    """Words (or phones, of a phone decoder) of the last utterance."""
    for entry in decoder.seg() or ():
        yield Span(entry.word, entry.start_frame, entry.end_frame + 1)


def align_phones(decoder: Any, audio: bytes) -> tuple[list[ScoredSpan], list[ScoredSpan]]:
    """Words and phones of the last utterance, aligned state by state in a second pass.

    The caller activates a search again before the next utterance. Raises RuntimeError when the
    words do not fit into the audio.
    """
    decoder.set_alignment()
    decode(decoder, audio)
    words: list[ScoredSpan] = []
    phones: list[ScoredSpan] = []
    for word in decoder.get_alignment() or ():
        words.append(_scored(word))
        phones.extend(map(_scored, word))
    return words, phones


def _scored(entry: Any) -> ScoredSpan:
    return ScoredSpan(entry.name, entry.start, entry.start + entry.duration, entry.score)
