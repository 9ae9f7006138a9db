"""Texts in Japanese and German, and texts that cannot be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_lipsync.phones import Phone, parse_phone
from kuchipaku_lipsync.recognise import (
    RecognitionOptions,
    Recognizers,
    align_text,
    recognise,
)
from kuchipaku_lipsync.recognizers.base import RecognizerName
from kuchipaku_lipsync.recognizers.german import german_number, german_phones
from kuchipaku_lipsync.recognizers.japanese import kana_morae, mora_pronunciations
from kuchipaku_lipsync.recognizers.numerals import japanese_number
from kuchipaku_lipsync.recognizers.reading import (
    Language,
    Reading,
    UnreadableTextError,
    check_language,
    read_text,
    text_language,
)
from kuchipaku_media.audio import AudioClip

KNOWN = {"hello", "boss"}
UNKNOWN_KANJI = "𠮷へようこそ"


def spoken(kana: str) -> str:
    """The most usual way to speak each mora."""
    return " ".join(phone for ways in mora_pronunciations(kana_morae(kana)) for phone in ways[0])


@pytest.mark.parametrize(
    ("kana", "phones"),
    [
        ("さくら", "S AA K UW R AA"),
        ("サクラ", "S AA K UW R AA"),
        ("ｻｸﾗ", "S AA K UW R AA"),
        ("きょうと", "K Y AO T AO"),
        ("しゃしん", "SH AA SH IY N"),
        ("がっこう", "G AA K K AO"),
        ("マッチ", "M AA T CH IY"),
        ("さんぽ", "S AA M P AO"),
        ("ばんごはん", "B AA NG G AO HH AA N"),
        ("コーヒー", "K AO HH IY"),
        ("えいが", "EH G AA"),
        ("ティー", "T IY"),
        ("ファン", "F AA N"),
        ("ウィンク", "W IY NG K UW"),
        ("チェロ", "CH EH R AO"),
        ("ヴァイオリン", "V AA IY AO R IY N"),
        ("づを", "Z UW AO"),
    ],
)
def test_kana_as_phones(kana: str, phones: str) -> None:
    assert spoken(kana) == phones


def test_particles_and_voiceless_vowels_have_several_ways() -> None:
    topic, end = mora_pronunciations(kana_morae("は")), mora_pronunciations(kana_morae("です"))
    assert ("W", "AA") in topic[0]
    assert ("S",) in end[-1]


@given(st.text(alphabet=st.characters(min_codepoint=0x3041, max_codepoint=0x30FF), max_size=20))
def test_any_kana_can_be_spoken(text: str) -> None:
    for ways in mora_pronunciations(kana_morae(text)):
        assert ways
        for way in ways:
            assert all(parse_phone(name) is not Phone.NOISE for name in way)


@pytest.mark.parametrize(
    ("value", "kana"),
    [
        (0, "ゼロ"),
        (10, "じゅう"),
        (38_600, "さんまんはっせんろっぴゃく"),
        (300, "さんびゃく"),
        (10_001, "いちまんいち"),
    ],
)
def test_japanese_numbers(value: int, kana: str) -> None:
    assert japanese_number(value) == kana


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("schön", "SH ER N"),
        ("nacht", "N AA HH T"),
        ("ich", "IH SH"),
        ("spiel", "SH P IY L"),
        ("deutsch", "D OY CH"),
        ("straße", "SH T R AA S AH"),
        ("vogel", "F OW G AH L"),
        ("zwölf", "T S V ER L F"),
        ("gespräch", "G AH SH P R EH SH"),
        ("könig", "K ER N IH SH"),
        ("wald", "V AA L T"),
    ],
)
def test_german_as_phones(word: str, phones: str) -> None:
    assert " ".join(german_phones(word)) == phones


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzäöüß", max_size=20))
def test_any_german_word_can_be_spoken(word: str) -> None:
    assert all(parse_phone(name) is not Phone.NOISE for name in german_phones(word))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "null"),
        (21, "ein und zwanzig"),
        (101, "ein hundert eins"),
        (2_017, "zwei tausend siebzehn"),
        (1_000_000, "eine million"),
    ],
)
def test_german_numbers(value: int, words: str) -> None:
    assert german_number(value) == words


@pytest.mark.parametrize(
    ("text", "tag", "language"),
    [
        ("Where is the key?", "", Language.ENGLISH),
        ("Wo ist der Schlüssel?", "", Language.GERMAN),
        ("かぎは どこ?", "", Language.JAPANESE),
        ("鍵", "", Language.JAPANESE),
        ("Angst", "de-AT", Language.GERMAN),
        ("Sayonara", "ja", Language.JAPANESE),
        ("Où est la clé?", "fr", None),
    ],
)
def test_the_language_is_told_or_guessed(text: str, tag: str, language: Language | None) -> None:
    assert text_language(text, tag) is language


def _read(text: str, tag: str = "") -> Reading:
    return read_text(text, tag, KNOWN.__contains__)


def test_a_reading_keeps_the_tokens_and_knows_their_sounds() -> None:
    reading = _read("こんにちは、Boss！ 3つ")
    assert [token.text for token in reading.tokens] == ["こんにちは", "Boss", "3", "つ"]
    assert reading.tokens[1].words == ("boss",)
    for token in (reading.tokens[0], reading.tokens[2]):
        assert all(word in reading.pronunciations for word in token.words)


def test_kanji_with_their_reading_in_brackets_are_read() -> None:
    for text in ("漢字（かんじ）です", "漢字《かんじ》です"):
        assert [token.text for token in _read(text).tokens] == ["かんじです"]


@pytest.mark.parametrize(
    ("text", "tag", "reason"),
    [
        (UNKNOWN_KANJI, "", "TEXT_NEEDS_READING"),
        ("Où est la clé?", "fr", "LANGUAGE_NOT_ALIGNED"),
        ("Привет", "", "TEXT_NOT_UNDERSTOOD"),
        ("...", "ja", "TEXT_NOT_UNDERSTOOD"),
        ("", "de", "TEXT_NOT_UNDERSTOOD"),
    ],
)
def test_texts_that_cannot_be_read(text: str, tag: str, reason: str) -> None:
    with pytest.raises(UnreadableTextError) as caught:
        _read(text, tag)
    assert caught.value.reason == reason


@given(st.text(max_size=60), st.sampled_from(["", "en", "ja", "de", "fr"]))
def test_any_text_is_read_or_refused(text: str, tag: str) -> None:
    try:
        reading = _read(text, tag)
    except UnreadableTextError:
        return
    assert reading.tokens
    for token in reading.tokens:
        assert token.words
        for word in token.words:
            assert word.isascii()
            assert " " not in word


@pytest.mark.parametrize("tag", ["english!", "e", "de_AT", "-", "x" * 9])
def test_bad_language_tags_are_refused(tag: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        check_language(tag, "config.language")
    assert (caught.value.reason, caught.value.field) == ("LANGUAGE_INVALID", "config.language")


@pytest.mark.parametrize(
    ("text", "language", "reason"),
    [
        (UNKNOWN_KANJI, "", "TEXT_NEEDS_READING"),
        ("Bonjour mon ami", "fr", "LANGUAGE_NOT_ALIGNED"),
        ("さくらが さきました", "", "TEXT_DOES_NOT_MATCH"),
        ("Der Mond ist aufgegangen, die goldnen Sternlein", "", "TEXT_DOES_NOT_MATCH"),
    ],
)
def test_foreign_texts_that_cannot_be_aligned_leave_phones(
    text: str, language: str, reason: str, hello_clip: AudioClip, recognizers: Recognizers
) -> None:
    options = RecognitionOptions(text=text, language=language)
    result = recognise(hello_clip, options, recognizers)
    assert [note.reason for note in result.warnings] == [reason]
    assert result.recognizer is RecognizerName.PHONETIC
    with pytest.raises(InvalidArgumentError) as caught:
        align_text(hello_clip, text, recognizers, language)
    assert (caught.value.reason, caught.value.field) == (reason, "text")


def test_romaji_are_aligned_in_the_words_of_a_japanese_name(
    hello_clip: AudioClip, hello_text: str, recognizers: Recognizers
) -> None:
    result = align_text(hello_clip, hello_text, recognizers, "en")
    name = next(word for word in result.words if word.text == "Kuchipaku")
    phones = [p.phone.value for p in result.phones if name.start_cs <= p.start_cs < name.end_cs]
    assert phones == ["K", "UW", "CH", "IY", "P", "AA", "K", "UW"]
