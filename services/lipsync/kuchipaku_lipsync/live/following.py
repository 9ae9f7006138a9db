"""Phones of an utterance whose text is known, while it is being spoken.

The phones of the text are followed through the audio one after the other. Where the speaker says
something else the path gets stuck; from then on phones are recognised without the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kuchipaku_lipsync.live.commit import animate_window
from kuchipaku_lipsync.live.decoding import LiveDecoder
from kuchipaku_lipsync.phones import PhoneSegment, recognised_phone
from kuchipaku_lipsync.recognizers.decoder import follow_phones, followed, live_text_decoder
from kuchipaku_lipsync.recognizers.lexicon import english_lexicon
from kuchipaku_lipsync.recognizers.reading import read_text
from kuchipaku_lipsync.rhubarb.shapes import EVERY_MASK

# Speech of this length without a phone of the text is something else.
_STUCK_CS: Final = 60
# A phone that lasts longer than this is no sign of progress.
_LONGEST_PHONE_CS: Final = 40
# After this much speech it is decided whether the text is the right one. The mouths of the text and
# of phones recognised without it are the same 42-70 % of the time, and 0-38 % with a wrong text.
_TRIAL_CS: Final = 250
_AGREEMENT: Final = 0.4
# The newest frames are still open.
_OPEN_CS: Final = 15
# More phones than these cannot be spoken before the decoder begins anew.
_MOST_PHONES: Final = 400
# An utterance ends with a word, if one ends this near.
_NEAR: Final = 2

Words = Sequence[Sequence[str]]
Phones = Sequence[PhoneSegment]


def text_phones(text: str, language: str) -> list[list[str]]:
    """The phones of each word of a text, as they are most usually spoken.

    Raises UnreadableTextError.
    """
    lexicon = english_lexicon()
    reading = read_text(text, language, lexicon.is_known)
    words = []
    for token in reading.tokens:
        for word in token.words:
            ways = reading.pronunciations.get(word)
            words.append(list(ways[0]) if ways else lexicon.sounds(word).split())
    return words


class TextDecoder:
    """As `LiveDecoder`, for a text that is known.

    At first phones are also recognised without the text. Where the two see other mouths most of
    the time, something else is being said.
    """

    def __init__(self, words: Words) -> None:
        """``words``: see `text_phones`."""
        self._follower = _Follower(words)
        self._free: LiveDecoder | None = LiveDecoder()
        self._trial = _Trial()
        self._leads: LiveDecoder = self._follower
        self._earlier: list[PhoneSegment] = []
        self.lost = False
        """Whether something else was said than the text."""

    def begin(self, start_cs: int) -> None:
        """An utterance begins with frame ``start_cs``."""
        self._earlier = []
        if self._leads is self._follower and self._follower.done:
            self.lost = True
            self._leads = self._free = self._free or LiveDecoder()
        for decoder in self._decoders():
            decoder.begin(start_cs)
        self._trial.begin(start_cs)

    def push(self, frames: NDArray[np.float32]) -> None:
        """The utterance's next frames (k, 160)."""
        for decoder in self._decoders():
            decoder.push(frames)
        if self._leads is not self._follower:
            return
        if self._free is not None and self._trial.is_due(self._follower.end_cs):
            self._judge(self._free)
        if self._leads is self._follower and self._follower.stuck:
            self.lost = not self._follower.is_through
            self._hand_over()

    def phones(self, since_cs: int) -> list[PhoneSegment]:
        """What has been heard, from ``since_cs`` on."""
        kept = [phone for phone in self._earlier if phone.end_cs > since_cs]
        return kept + self._leads.phones(since_cs)

    def end(self, end_cs: int, since_cs: int) -> list[PhoneSegment]:
        """The utterance has ended at ``end_cs``: its phones from ``since_cs`` on."""
        kept = [phone for phone in self._earlier if phone.end_cs > since_cs]
        self._earlier = []
        heard = {decoder: decoder.end(end_cs, 0) for decoder in self._decoders()}
        if self._free is not None and self._leads is self._follower:
            self._trial.end(heard[self._follower], heard[self._free], end_cs)
        return kept + [phone for phone in heard[self._leads] if phone.end_cs > since_cs]

    def _decoders(self) -> list[LiveDecoder]:
        both = (self._follower if self._leads is self._follower else None, self._free)
        return [decoder for decoder in both if decoder is not None]

    def _judge(self, free: LiveDecoder) -> None:
        now_cs = self._follower.end_cs
        if self._trial.passed(self._follower.phones(0), free.phones(0), now_cs):
            self._free = None
            return
        self.lost = True
        # What was given out stays; from here on the other one leads.
        self._leads = free

    def _hand_over(self) -> None:
        """Go on without the text."""
        recent, now_cs = self._follower.recent, self._follower.end_cs
        start_cs = now_cs - len(recent)
        self._earlier = [
            PhoneSegment(phone.start_cs, min(phone.end_cs, start_cs), phone.phone)
            for phone in self._follower.end(now_cs, 0)
            if phone.start_cs < start_cs
        ]
        self._leads = self._free = LiveDecoder()
        self._leads.begin(start_cs)
        self._leads.push(recent)


class _Trial:
    """Compares the mouths of two views of the same speech."""

    def __init__(self) -> None:
        self._start_cs = 0
        self._same = 0
        self._total = 0

    def begin(self, start_cs: int) -> None:
        """An utterance begins."""
        self._start_cs = start_cs

    def is_due(self, now_cs: int) -> bool:
        """Whether enough has been heard to decide."""
        return self._total + now_cs - self._start_cs >= _TRIAL_CS

    def end(self, one: Phones, other: Phones, end_cs: int) -> None:
        """An utterance has ended before that."""
        self._count(one, other, end_cs)

    def passed(self, one: Phones, other: Phones, now_cs: int) -> bool:
        """Whether the two agree."""
        self._count(one, other, now_cs - _OPEN_CS)
        return self._same >= _AGREEMENT * self._total

    def _count(self, one: Phones, other: Phones, end_cs: int) -> None:
        start_cs = self._start_cs
        views = [animate_window(phones, start_cs, end_cs, EVERY_MASK) for phones in (one, other)]
        self._same += sum(a == b for a, b in zip(*views, strict=True))
        self._total += max(end_cs - start_cs, 0)


class _Follower(LiveDecoder):
    """Goes through the phones of a text."""

    def __init__(self, words: Words) -> None:
        super().__init__(live_text_decoder())
        self._text = [phone for word in words for phone in word]
        self._ends = set(np.cumsum([len(word) for word in words]).tolist())
        self._position = 0
        self._ended: list[PhoneSegment] | None = None

    @property
    def done(self) -> bool:
        """Whether all of the text has been spoken."""
        return self._position >= len(self._text)

    @property
    def is_through(self) -> bool:
        """Whether the text has no more phones than have been heard."""
        return self._position + len(self._current()) >= len(self._text)

    @property
    def stuck(self) -> bool:
        """Whether nothing of the text has been heard for a while."""
        heard = self._current()
        begun = heard[-1].end_cs if heard else max(self._start_cs, self._valid_from_cs)
        return self._end_cs - begun > _STUCK_CS

    @property
    def recent(self) -> NDArray[np.float32]:
        """The newest frames (k, 160)."""
        return self._recent

    @property
    def end_cs(self) -> int:
        """The frame behind the newest."""
        return self._end_cs

    def phones(self, since_cs: int) -> list[PhoneSegment]:
        heard = [phone for phone in self._earlier if phone.end_cs > since_cs]
        own = self._current()
        heard += [phone for phone in own if phone.end_cs > since_cs]
        # The next one of the text is being spoken.
        begun = own[-1].end_cs if own else max(self._start_cs, self._valid_from_cs)
        following = self._position + len(own)
        if begun < self._end_cs <= begun + _LONGEST_PHONE_CS and following < len(self._text):
            heard.append(recognised_phone(self._text[following], begun, self._end_cs))
        return heard

    def _current(self) -> list[PhoneSegment]:
        if self._ended is not None:
            return self._ended
        phones = []
        for span in followed(self._decoder):
            start = max(self._start_cs + span.start, self._valid_from_cs)
            end = max(self._start_cs + span.end, start)
            phones.append(recognised_phone(span.name, start, end))
        return phones

    def _restart(self, start_cs: int, valid_from_cs: int) -> None:
        follow_phones(self._decoder, self._text[self._position : self._position + _MOST_PHONES])
        self._ended = None
        super()._restart(start_cs, valid_from_cs)

    def _finish(self, until_cs: int) -> None:
        phones = self._current()
        self._position = self._reached(sum(phone.end_cs <= until_cs for phone in phones))
        self._ended = phones
        # The decoder minds that the text is not at its end.
        with suppress(RuntimeError):
            super()._finish(until_cs)

    def _reached(self, count: int) -> int:
        """How far the text has been spoken when ``count`` phones of this part are over."""
        position = self._position + count
        near = [end for end in self._ends if abs(end - position) <= _NEAR]
        return min(near, key=lambda end: abs(end - position), default=position)
