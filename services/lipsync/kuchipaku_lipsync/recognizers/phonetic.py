"""Phones without words: quick, for any language and for sounds that are no words."""

from __future__ import annotations

from collections.abc import Iterator

from kuchipaku_lipsync.phones import recognised_phone
from kuchipaku_lipsync.recognizers.base import RecognizerName, Utterance, with_noise
from kuchipaku_lipsync.recognizers.decoder import decode, dithered, heard, phone_decoder
from kuchipaku_lipsync.speech import Speech


class PhoneticRecognizer:
    """Hears phones by pocketsphinx's phone loop."""

    name = RecognizerName.PHONETIC

    def __init__(self) -> None:
        self._decoder = phone_decoder()

    def listen(self, speech: Speech) -> Iterator[Utterance]:
        for segment in speech.segments:
            start, samples = speech.padded(segment)
            decode(self._decoder, dithered(samples))
            phones = [
                recognised_phone(span.name, start + span.start, start + span.end)
                for span in heard(self._decoder)
            ]
            yield Utterance(segment, with_noise(phones, segment))
