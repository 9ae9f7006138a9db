"""Prompts: free order, synonyms, what is unknown is reported."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuchipaku_imagegen.illustrator import caption, parse_prompt, random_attributes
from kuchipaku_imagegen.illustrator.attributes import Accessory, Age, Attributes, Figure, Outfit
from kuchipaku_imagegen.illustrator.palette import (
    CLOTH_COLOURS,
    EYE_COLOURS,
    HAIR_COLOURS,
    SKIN_COLOURS,
)

WORDS = [
    "girl",
    "boy",
    "woman",
    "man",
    "red",
    "blue",
    "light",
    "dark",
    "golden",
    "silver",
    "pink",
    "hair",
    "eyes",
    "long",
    "short",
    "wavy",
    "messy",
    "twintails",
    "bob",
    "hime",
    "cut",
    "glasses",
    "neko",
    "cat",
    "ears",
    "hat",
    "no",
    "without",
    "and",
    "with",
    "hoodie",
    "school",
    "uniform",
    "maid",
    "kimono",
    "skin",
    "pale",
    "tan",
    "bangs",
    "ribbon",
    "skirt",
    "tie",
    "tips",
    "dragon",
    "very",
    "blonde",
    "haired",
    "eyed",
    ",",
    ";",
]
PHRASES = (
    "girl",
    "man",
    "silver hair",
    "red hair",
    "red eyes",
    "blue eyes",
    "twin tails",
    "long hair",
    "black hoodie",
    "school uniform",
    "cat ears",
    "no glasses",
    "pink ribbon",
    "blunt bangs",
    "dark skin",
    "a sword",
    "white skirt",
    "child",
    "old man",
    "crossed arms",
    "round face",
    "red scarf",
)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("blond hair", {"hair_colour": "blonde"}),
        ("golden hair", {"hair_colour": "blonde"}),
        ("yellow hair", {"hair_colour": "blonde"}),
        ("a blonde girl", {"hair_colour": "blonde", "figure": "girl"}),
        ("Silver-haired boy", {"hair_colour": "silver", "figure": "boy"}),
        ("red eyes and silver hair", {"eye_colour": "red", "hair_colour": "silver"}),
        ("hair pink, eyes green", {"eye_colour": "green", "hair_colour": "pink"}),
        ("1girl, blue_eyes, long_hair", {"eye_colour": "blue", "hair_style": "long straight hair"}),
        ("light blue hair", {"hair_colour": "aqua"}),
        ("short hair", {"hair_style": "short hair"}),
        ("long pink twintails", {"hair_style": "twin tails", "hair_colour": "pink"}),
        ("long hair, twin tails", {"hair_style": "twin tails"}),
        ("bob", {"hair_style": "bob cut"}),
        ("man", {"figure": "man"}),
        ("a lady", {"figure": "woman"}),
        ("girl in a school uniform", {"outfit": "sailor uniform"}),
        ("boy in a school uniform", {"outfit": "gakuran"}),
        (
            "red and black hoodie",
            {"outfit": "hoodie", "outfit_colour": "red", "second_colour": "black"},
        ),
        ("dark skinned woman", {"skin": "dark", "figure": "woman"}),
        ("gentle brown eyes", {"eye_shape": "gentle", "eye_colour": "brown"}),
        ("black dress, pink ribbon", {"outfit_colour": "black", "accent_colour": "pink"}),
        ("an old man", {"figure": "man", "age": "elderly"}),
        ("grandmother", {"figure": "woman", "age": "elderly"}),
        ("a little girl", {"figure": "girl", "age": "child"}),
        ("young woman", {"figure": "woman", "age": "young"}),
        ("man with a square jaw", {"figure": "man", "age": "young", "face_shape": "square"}),
        ("round face, sleepy eyes", {"face_shape": "round", "eye_shape": "sleepy"}),
        ("almond shaped green eyes", {"eye_shape": "almond", "eye_colour": "green"}),
        ("hand on her hip", {"arms": "hand on hip"}),
        ("crossed arms", {"arms": "crossed arms"}),
        ("hands behind his back", {"arms": "arms behind back"}),
        ("girl holding a book", {"arms": "holding a book", "figure": "girl"}),
        ("short curly hair", {"hair_style": "curly hair"}),
        ("blonde drill curls", {"hair_style": "drill curls", "hair_colour": "blonde"}),
        ("black twin braids", {"hair_style": "twin braids", "hair_colour": "black"}),
        ("side ponytail", {"hair_style": "side ponytail"}),
        ("silver hair slicked back", {"hair_style": "slicked back hair"}),
        ("undercut", {"hair_style": "undercut"}),
        ("wolf cut", {"hair_style": "wolf cut"}),
        ("hair in a bun", {"hair_style": "top bun"}),
        ("scientist in a lab coat", {"outfit": "lab coat"}),
        ("red leather jacket", {"outfit": "casual jacket", "outfit_colour": "red"}),
        ("knight in armour", {"outfit": "armour"}),
        ("white sundress", {"outfit": "summer dress", "outfit_colour": "white"}),
        ("green tracksuit", {"outfit": "tracksuit", "outfit_colour": "green"}),
        ("sweater vest", {"outfit": "school vest"}),
        ("red scarf", {"accent_colour": "red", "accessories": (Accessory.SCARF,)}),
        ("beret, earrings", {"accessories": (Accessory.BERET, Accessory.EARRINGS)}),
        ("demon horns, choker", {"accessories": (Accessory.CHOKER, Accessory.HORNS)}),
        ("beauty mark", {"beauty_mark": True}),
    ],
)
def test_words_decide_traits(prompt: str, expected: dict[str, object]) -> None:
    for seed in range(4):
        result = parse_prompt(prompt, seed)
        assert {name: getattr(result.attributes, name) for name in expected} == expected
        assert result.ignored == ()
        assert result.recognised


def test_age_suggests_a_figure_that_is_not_told() -> None:
    for seed in range(20):
        assert not parse_prompt("a child", seed).attributes.figure.adult
        assert parse_prompt("elderly", seed).attributes.figure.adult
        assert parse_prompt("a girl", seed).attributes.age is Age.YOUNG


def test_unknown_words_are_reported() -> None:
    result = parse_prompt("a cheerful girl with a sword and blue hair", 1)
    assert result.ignored == ("cheerful", "sword")
    assert result.recognised == ("girl", "blue hair")


def test_contradictions_are_reported() -> None:
    result = parse_prompt("red hair, blue hair", 1)
    assert result.attributes.hair_colour == "blue"
    assert result.ignored == ("red hair",)


def test_accessories_can_be_named_and_denied() -> None:
    assert parse_prompt("neko, glasses", 0).attributes.accessories == (
        Accessory.CAT_EARS,
        Accessory.GLASSES,
    )
    for seed in range(30):
        bare = parse_prompt("no accessories", seed).attributes
        assert bare.accessories == ()
        without = parse_prompt("without glasses", seed).attributes
        assert Accessory.GLASSES not in without.accessories


def test_clothes_suggest_a_figure_that_is_not_told() -> None:
    for seed in range(20):
        assert parse_prompt("maid", seed).attributes.figure.feminine
        assert not parse_prompt("gakuran", seed).attributes.figure.feminine
        assert parse_prompt("a boy as a maid", seed).attributes.figure is Figure.BOY


@given(seed=st.integers())
def test_an_empty_prompt_is_the_seed(seed: int) -> None:
    result = parse_prompt("", seed)
    assert result.attributes == random_attributes(seed)
    assert result.recognised == result.ignored == ()


def _drawable(attributes: Attributes) -> bool:
    return (
        attributes.hair_colour in HAIR_COLOURS
        and attributes.eye_colour in EYE_COLOURS
        and attributes.skin in SKIN_COLOURS
        and (attributes.tip_colour is None or attributes.tip_colour in CLOTH_COLOURS)
        and {attributes.outfit_colour, attributes.second_colour, attributes.accent_colour}
        <= set(CLOTH_COLOURS)
        and isinstance(attributes.outfit, Outfit)
    )


@settings(max_examples=150)
@given(prompt=st.one_of(st.text(), st.lists(st.sampled_from(WORDS)).map(" ".join)))
def test_any_text_is_read(prompt: str) -> None:
    result = parse_prompt(prompt, 7)
    assert result == parse_prompt(prompt, 7)
    assert _drawable(result.attributes)
    assert not set(result.recognised) & set(result.ignored)


@settings(max_examples=100)
@given(
    phrases=st.lists(st.sampled_from(PHRASES), max_size=8),
    seed=st.integers(0, 50),
    shuffle=st.randoms(use_true_random=False),
)
def test_the_order_of_phrases_does_not_matter(
    phrases: list[str], seed: int, shuffle: random.Random
) -> None:
    one = parse_prompt(", ".join(phrases), seed)
    shuffle.shuffle(phrases)
    other = parse_prompt(", ".join(phrases), seed)
    assert one.attributes == other.attributes
    assert set(one.recognised) == set(other.recognised)
    assert set(one.ignored) == set(other.ignored)


@settings(max_examples=100)
@given(drawn=st.integers(0, 10_000), seed=st.integers(0, 10_000))
def test_a_caption_is_read_back(drawn: int, seed: int) -> None:
    described = random_attributes(drawn)
    result = parse_prompt(caption(described), seed)
    assert result.ignored == ()
    for trait in ("figure", "hair_colour", "hair_style", "bangs", "eye_colour", "eye_shape"):
        assert getattr(result.attributes, trait) == getattr(described, trait)
    for trait in ("skin", "outfit_colour", "outfit", "age", "face_shape", "arms"):
        assert getattr(result.attributes, trait) == getattr(described, trait)
    if described.accessories:
        assert result.attributes.accessories == described.accessories
