from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_lipsync.phones import Phone, parse_phone
from kuchipaku_lipsync.recognizers.g2p import pronunciation
from kuchipaku_lipsync.recognizers.text import spoken_tokens

KNOWN = {"hello", "it's", "the", "dogs", "party", "naive", "cafe", "us"}


def spoken(text: str) -> str:
    return " ".join(
        word for token in spoken_tokens(text, KNOWN.__contains__) for word in token.words
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Hello! It’s the party.", "hello it's the party"),
        ("12 345", "twelve three hundred forty five"),
        ("1,002,003", "one million two thousand three"),
        ("3.14", "three point one four"),
        ("0", "zero"),
        ("007", "zero zero seven"),
        ("in 1984", "in nineteen eighty four"),
        ("1906", "nineteen oh six"),
        ("1900", "nineteen hundred"),
        ("2001", "two thousand one"),
        ("the 21st", "the twenty first"),
        ("30th", "thirtieth"),
        ("$5", "five dollars"),
        ("100%", "one hundred percent"),
        ("Mr. Smith & Dr. Who", "mister smith and doctor who"),
        ("NPC", "n p c"),
        ("us", "us"),
        ("the dogs' café", "the dogs cafe"),
        ("naïve", "naive"),
        ("well-known", "well known"),
        (
            "123456789012345",
            "one two three four five six seven eight nine zero one two three four five",
        ),
    ],
)
def test_text_as_it_is_spoken(written: str, expected: str) -> None:
    assert spoken(written) == expected


def test_endless_words_are_read_in_parts() -> None:
    assert [len(word) for word in spoken("a" * 100).split()] == [40, 40, 20]


@pytest.mark.parametrize("text", ["", "  \n", "...!?", "東京タワー", "Привет"])
def test_text_without_english_words_has_no_tokens(text: str) -> None:
    assert spoken_tokens(text, KNOWN.__contains__) == []


def test_tokens_keep_their_spelling() -> None:
    tokens = spoken_tokens("Hello 21st", KNOWN.__contains__)
    assert [token.text for token in tokens] == ["Hello", "21st"]
    assert tokens[1].words == ("twenty", "first")


@given(st.text(max_size=60))
def test_any_text_gives_lower_case_words(text: str) -> None:
    for token in spoken_tokens(text, KNOWN.__contains__):
        assert token.words
        for word in token.words:
            assert word
            assert set(word) <= set("abcdefghijklmnopqrstuvwxyz'")


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("kuchipaku", "K UW CH IY P AA K UW"),
        ("shinji", "SH IY N JH IY"),
        ("kyoto", "K Y AO T AO"),
        ("matcha", "M AA T CH AA"),
        ("knightly", "N AY T L IY"),
        ("phoom", "F UW M"),
        ("vorge", "V AO R JH"),
        ("stake", "S T EY K"),
        ("quix", "K W IH K S"),
        ("wrathful", "R AE TH F AH L"),
    ],
)
def test_pronunciation_of_invented_words(word: str, phones: str) -> None:
    assert " ".join(pronunciation(word)) == phones


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz'", max_size=30))
def test_any_word_can_be_pronounced(word: str) -> None:
    phones = pronunciation(word)
    assert all(parse_phone(name) is not Phone.NOISE for name in phones)
    assert bool(phones) or not set(word) & set("aiou")
