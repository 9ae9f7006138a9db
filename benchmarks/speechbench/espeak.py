"""Japanese and German speech whose phones are known: espeak-ng tells when each of them begins.

espeak-ng (https://github.com/espeak-ng/espeak-ng, Debian package ``libespeak-ng1``) is called
through its C interface (speak_lib.h). It is a program of its own, installed for measurements
only; nothing of it is part of the product.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import numpy as np
from speechbench.flite import SpokenLine

from kuchipaku_lipsync.phones import PhoneSegment, parse_phone
from kuchipaku_media.audio import AudioClip

LINES: Final = {
    "de": (
        "Willkommen zurück, Reisender. Bevor du das Dorf verlässt, sprich bitte mit dem Schmied.",
        "Fünf mutige Leute sind jenseits der Brücke verschwunden, und wir haben kaum noch Tränke.",
        "Meine Mutter sagte mir nie, warum der Mond über dem Berg um Mitternacht blau brennt.",
        "Pass auf! Die Bombe explodiert gleich, und der Raum mit der Pumpe steht unter Wasser.",
    ),
    "ja": (
        "おかえりなさい、たびびとさん。 むらを でる まえに、 かじやと はなして ください。",
        "ごにんの ゆうしゃが はしの むこうで きえました。 ポーションは もう ほとんど ありません。",
        "ぼくの ママは、 なぜ まんげつの よるに うみが ひかるのか おしえて くれなかった。",
        "きを つけて! ばくだんは もうすぐ ばくはつします。 はやく ポンプの へやから でて!",
    ),
}

# The Japanese lines as they are usually written.
KANJI: Final = (
    "お帰りなさい、旅人さん。村を出る前に、鍛冶屋と話して下さい。",
    "五人の勇者が橋の向こうで消えました。ポーションはもうほとんど有りません。",
    "僕のママは、何故満月の夜に海が光るのか教えてくれなかった。",
    "気を付けて！爆弾はもうすぐ爆発します。早くポンプの部屋から出て！",
)

# IPA as espeak-ng writes it, by its first letters: the longest match counts.
_IPA: Final = {
    "aɪ": "AY",
    "aʊ": "AW",
    "ɔø": "OY",
    "ɔɪ": "OY",
    "ɔʏ": "OY",
    "a": "AA",
    "ä": "AA",
    "ɑ": "AA",
    "ɐ": "SCHWA",
    "ə": "SCHWA",
    "ɜ": "SCHWA",
    "eː": "EY",
    "e": "EH",
    "ɛ": "EH",
    "i": "IY",
    "ɪ": "IH",
    "o": "AO",
    "ɔ": "AO",
    "u": "UW",
    "ʊ": "UH",
    "ɯ": "UW",
    "y": "UW",
    "ʏ": "UW",
    "ø": "ER",
    "œ": "ER",
    "pf": "F",
    "p": "P",
    "b": "B",
    "ts": "S",
    "tʃ": "CH",
    "tɕ": "CH",
    "t": "T",
    "dʒ": "JH",
    "dʑ": "JH",
    "d": "D",
    "k": "K",
    "ɡ": "G",
    "m": "M",
    "n": "N",
    "ɲ": "N",
    "ɴ": "N",
    "ŋ": "NG",
    "f": "F",
    "ɸ": "F",
    "v": "V",
    "s": "S",
    "z": "Z",
    "ʃ": "SH",
    "ɕ": "SH",
    "ç": "SH",
    "ʒ": "ZH",
    "x": "HH",
    "h": "HH",
    "l": "L",
    "r": "R",
    "ɾ": "R",
    "ɽ": "R",
    "ʁ": "R",
    "j": "Y",
    "w": "W",
}
_RETRIEVE, _PHONEME_EVENTS_IPA, _UTF8 = 1, 3, 1
_LIST_TERMINATED, _END, _MSG_TERMINATED, _PHONEME = 0, 5, 6, 7


class _Event(ctypes.Structure):
    """espeak_EVENT."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@lru_cache(maxsize=1)
def _speaker() -> _Speaker:
    return _Speaker()


def has_espeak() -> bool:
    """Whether espeak-ng's library is installed."""
    return ctypes.util.find_library("espeak-ng") is not None


def spoken_lines(language: str) -> Iterator[SpokenLine]:
    """The lines of a language."""
    for text in LINES[language]:
        yield _speaker().speak(text, language)


class _Speaker:
    """The library, which can be set up once in a process."""

    def __init__(self) -> None:
        self._library: Any = ctypes.CDLL(ctypes.util.find_library("espeak-ng"))
        self._rate = self._library.espeak_Initialize(_RETRIEVE, 0, None, _PHONEME_EVENTS_IPA)
        self._callback = _Callback(self._take)
        self._library.espeak_SetSynthCallback(self._callback)
        self._samples = bytearray()
        self._events: list[tuple[int, str]] = []

    def speak(self, text: str, voice: str) -> SpokenLine:
        self._samples.clear()
        self._events.clear()
        self._library.espeak_SetVoiceByName(voice.encode())
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        values = np.frombuffer(bytes(self._samples), "<i2")
        samples = np.asarray(values / 32768, np.float32)
        return SpokenLine(voice, text, AudioClip(samples, self._rate), list(self._phones()))

    def _take(self, wave: Any, count: int, events: Any) -> int:
        index = 0
        while events[index].type != _LIST_TERMINATED:
            event = events[index]
            if event.type == _PHONEME:
                self._events.append((event.sample, bytes(event.name).decode("utf-8", "ignore")))
            elif event.type in (_END, _MSG_TERMINATED) and event.sample:
                self._events.append((event.sample, ""))
            index += 1
        if count > 0:
            self._samples += ctypes.string_at(wave, count * 2)
        return 0

    def _phones(self) -> Iterator[PhoneSegment]:
        times = [round(sample / self._rate * 100) for sample, _ in self._events]
        for (_, ipa), start, end in zip(self._events, times, times[1:], strict=False):
            name = next((_IPA[ipa[:size]] for size in (2, 1) if ipa[:size] in _IPA), "")
            if name and start < end:
                yield PhoneSegment(start, end, parse_phone(name))
