"""Phones of an utterance while it is being spoken.

pocketsphinx's phone loop answers at any time what it takes the audio so far for; its newest five
frames are still open. What it says about older ones changes less and less: 95 % of the phones
200 ms back are final.
"""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_lipsync.live.cepstra import CepstralMean
from kuchipaku_lipsync.phones import Phone, PhoneSegment, recognised_phone
from kuchipaku_lipsync.recognizers.base import MIN_NOISE_CS
from kuchipaku_lipsync.recognizers.decoder import live_phone_decoder
from kuchipaku_lipsync.speech import SAMPLES_PER_CS, to_int16

# The decoder's memory grows with the utterance. From this length on it is cut at the next quiet
# place, and at the latest at the second one.
_CUT_FROM_CS: Final = 1_000
_CUT_AT_CS: Final = 1_500
# What the next part hears again, so that the decoder finds its way.
_OVERLAP_CS: Final = 30
# How often the notion of the voice is refreshed. Hearing the utterance anew with it gains nothing.
_REFRESHED_EVERY_CS: Final = 50
# A place is quiet when its power is below this share of the utterance's loudest.
_QUIET_SHARE: Final = 0.2
_DITHER: Final = np.random.default_rng(1).integers(4, size=16_000) == 0


class LiveDecoder:
    """One utterance after the other, in frames of 10 ms numbered from the start of the stream."""

    def __init__(self, decoder: Any = None) -> None:
        """``decoder`` is one of pocketsphinx's; by default one for the phones of any speech."""
        self._decoder: Any = decoder or live_phone_decoder()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self._decoder.start_stream()
        self._mean = CepstralMean(self._decoder)
        self._mean.tell()
        self._learnt_cs = 0
        self._start_cs = 0
        self._end_cs = 0
        self._valid_from_cs = 0
        self._earlier: list[PhoneSegment] = []
        self._recent = np.zeros((0, SAMPLES_PER_CS), np.float32)
        self._loudest = 0.0

    def begin(self, start_cs: int) -> None:
        """An utterance begins with frame ``start_cs``."""
        self._earlier = []
        self._loudest = 0.0
        self._restart(start_cs, start_cs)

    def push(self, frames: NDArray[np.float32]) -> None:
        """The utterance's next frames (k, 160)."""
        if len(frames) == 0:
            return
        self._feed(frames)
        self._recent = np.concatenate([self._recent, frames])[-_OVERLAP_CS:]
        power = float(np.mean(np.square(frames)))
        self._loudest = max(self._loudest * 0.999, power)
        length = self._end_cs - self._start_cs
        quiet = power < _QUIET_SHARE * self._loudest
        if length >= _CUT_AT_CS or (length >= _CUT_FROM_CS and quiet):
            self._cut()
        elif self._end_cs - self._learnt_cs >= _REFRESHED_EVERY_CS:
            self._mean.learn()
            self._learnt_cs = self._end_cs

    def phones(self, since_cs: int) -> list[PhoneSegment]:
        """What has been heard, from ``since_cs`` on; the last phone reaches to the newest frame."""
        heard = [phone for phone in self._earlier if phone.end_cs > since_cs]
        heard += [phone for phone in self._current() if phone.end_cs > since_cs]
        if heard and heard[-1].end_cs < self._end_cs:
            last = heard[-1]
            heard[-1] = PhoneSegment(last.start_cs, self._end_cs, last.phone)
        if not heard and self._end_cs - self._start_cs >= MIN_NOISE_CS:
            heard = [PhoneSegment(self._start_cs, self._end_cs, Phone.NOISE)]
        return heard

    def end(self, end_cs: int, since_cs: int) -> list[PhoneSegment]:
        """The utterance has ended at ``end_cs``: its phones from ``since_cs`` on."""
        self._finish(end_cs)
        heard = [*self._earlier, *self._current()]
        return [
            PhoneSegment(phone.start_cs, min(phone.end_cs, end_cs), phone.phone)
            for phone in heard
            if phone.end_cs > since_cs and phone.start_cs < end_cs
        ]

    def _current(self) -> list[PhoneSegment]:
        phones = []
        for entry in self._decoder.seg() or ():
            start = max(self._start_cs + entry.start_frame, self._valid_from_cs)
            end = self._start_cs + entry.end_frame + 1
            if end > start:
                phones.append(recognised_phone(entry.word, start, end))
        return phones

    def _feed(self, frames: NDArray[np.float32]) -> None:
        samples = to_int16(frames.reshape(-1))
        # Digital silence breaks the logarithms of the front end.
        dither = np.resize(_DITHER, len(samples)) & (samples < np.iinfo(np.int16).max)
        self._decoder.process_raw((samples + dither).astype("<i2").tobytes(), False, False)
        self._end_cs += len(frames)

    def _finish(self, until_cs: int) -> None:
        """End the decoder's utterance; what comes after ``until_cs`` will be heard again."""
        self._mean.learn()
        self._decoder.end_utt()

    def _restart(self, start_cs: int, valid_from_cs: int) -> None:
        self._mean.tell()
        self._decoder.start_utt()
        self._mean.begin()
        self._start_cs = self._end_cs = self._learnt_cs = start_cs
        self._valid_from_cs = valid_from_cs
        self._recent = self._recent[:0]

    def _cut(self) -> None:
        """Go on with a fresh decoder, which hears the last moments again."""
        self._finish(self._end_cs - len(self._recent))
        end = self._end_cs
        boundary = end - _OVERLAP_CS // 2
        self._earlier = [
            PhoneSegment(phone.start_cs, min(phone.end_cs, boundary), phone.phone)
            for phone in self._current()
            if phone.start_cs < boundary
        ]
        recent = self._recent
        self._restart(end - len(recent), boundary)
        self._feed(recent)
        self._recent = recent
