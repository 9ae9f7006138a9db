"""Subjects, captions, tokens, latents and traits of the diffusion training. Torch is not needed."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_imagegen.illustrator import parse_prompt, render
from kuchipaku_imagegen.illustrator.attributes import Accessory
from kuchipaku_training.diffusion import captions, dataset, latents, tokens, traits
from kuchipaku_training.diffusion.dataset import BACKGROUND, DataSpec
from kuchipaku_training.diffusion.subjects import draw_bust, subject

SPEC = DataSpec(first_seed=930_000, characters=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diffusion") / "train"
    assert sum(dataset.render(folder, SPEC, workers=1)) == 3
    return folder


def test_every_accessory_is_worn_about_as_often() -> None:
    worn = Counter(name for seed in range(2000) for name in subject(seed).accessories)
    assert set(worn) == set(Accessory)
    assert max(worn.values()) < 3 * min(worn.values())
    assert subject(7) == subject(7)


def test_a_bust_is_a_part_of_the_whole_drawing() -> None:
    attributes = subject(930_000)
    part = render(attributes)[8:264, 128:384].astype(int)
    # Edges are sampled a little otherwise.
    assert np.abs(draw_bust(attributes).astype(int) - part).mean() < 0.05


def test_pictures_are_kept_and_the_background_fills_what_is_clear(folder: Path) -> None:
    assert list(dataset.render(folder, SPEC, workers=1)) == []
    data = dataset.open_data(folder)
    colours = data.colours(data.ready)
    assert colours.shape == (3, 256, 256, 3)
    np.testing.assert_array_equal(colours[:, 0, 0], [BACKGROUND] * 3)
    opaque = data.pictures[0][..., 3] == 255
    np.testing.assert_array_equal(colours[0][opaque], data.pictures[0][opaque][:, :3])
    with pytest.raises(FailedPreconditionError, match="another data set"):
        next(iter(dataset.render(folder, DataSpec(1, 3), workers=1)))


def test_data_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FailedPreconditionError, match="render one first"):
        dataset.open_data(tmp_path)
    with pytest.raises(InvalidArgumentError, match="needs characters"):
        DataSpec(1, 0)
    with pytest.raises(FailedPreconditionError, match="render the data first"):
        latents.LinearLatents.load(tmp_path / "latents.npz")


def test_captions_say_what_the_illustrator_reads() -> None:
    rng = random.Random(5)
    for seed in range(300):
        shown = subject(seed)
        for caption in (captions.full_caption(shown), captions.full_caption(shown, rng)):
            read = parse_prompt(caption, 1).attributes
            told = [read.figure, read.hair_colour, read.eye_colour, read.outfit, read.outfit_colour]
            truth = [shown.figure, shown.hair_colour, shown.eye_colour]
            assert told == [*truth, shown.outfit, shown.outfit_colour], caption
            assert read.hair_style == shown.hair_style, caption
            assert read.accessories == shown.accessories, caption


def test_captions_leave_things_out_and_differ() -> None:
    shown = subject(3)
    told = {captions.describe(shown, random.Random(seed)) for seed in range(100)}
    assert len(told) > 90
    assert any("hair" not in text for text in told)
    assert captions.describe(shown, random.Random(1)) == captions.describe(shown, random.Random(1))
    training = [captions.training_caption(shown, random.Random(seed)) for seed in range(400)]
    assert 0.03 < training.count("") / len(training) < 0.12
    assert any("simple plain background" in text for text in training)
    assert any("multiple people" in text for text in training)


def test_known_words_are_one_token_each_and_others_fall_apart() -> None:
    words = ["hair", "twin", "twintails", "tails", "in", "win", "haired"]
    merges = tokens.learn_merges(words)
    numbers = tokens.vocabulary(merges)
    assert len(numbers) == len(set(numbers.values())) == 512 + len(merges) + 2
    for word in words:
        assert f"{word}</w>" in numbers
        assert _applied(word, merges) == [f"{word}</w>"]
    assert len(_applied("zwindig", merges)) > 1
    assert all(part in numbers for part in _applied("zwindig", merges))


def _applied(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """Byte-pair encoding: of the pairs in a word the one that was learned first is merged."""
    parts = [*word[:-1], f"{word[-1]}</w>"]
    while True:
        known = [pair for pair in pairwise(parts) if pair in merges]
        if not known:
            return parts
        at = next(
            index
            for index in range(len(parts) - 1)
            if (parts[index], parts[index + 1]) == min(known, key=merges.index)
        )
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def test_every_word_of_a_caption_is_known() -> None:
    known = set(captions.known_words())
    rng = random.Random(2)
    text = " ".join(captions.training_caption(subject(seed), rng) for seed in range(300))
    spelled = "".join(letter if letter.isalpha() else " " for letter in text.lower())
    assert set(spelled.split()) <= known


def test_components_are_sought_where_eyes_are_first() -> None:
    rng = np.random.default_rng(3)
    grey, cold = rng.uniform(-30, 30, (40, 16, 16, 1)), rng.uniform(-55, 55, (40, 16, 16, 1))
    waves = np.sign(np.sin(np.arange(16)))[:, None, None] * np.ones((16, 16, 3))
    tint = np.broadcast_to([1.0, 0.0, -1.0], (16, 16, 3))
    cells = grey[..., None, None] * waves
    cells[:, *latents.EYES] = (cold[..., None, None] * tint)[:, *latents.EYES]
    whole = cells.transpose(0, 1, 3, 2, 4, 5).reshape(40, 256, 256, 3)
    pictures = np.rint(128 + whole).astype(np.uint8)
    fitted = latents.fit(pictures, 1)
    error = np.abs(fitted.decode(fitted.encode(pictures)) * 255 - pictures).reshape(
        40, 16, 16, 16, 16, 3
    )
    by_patch = error.mean((0, 2, 4, 5))
    assert by_patch[latents.EYES].max() < 2
    others = np.ones((16, 16), bool)
    others[latents.EYES] = False
    assert by_patch[others].min() > 5


def test_latents_are_the_nearest_linear_ones(folder: Path, tmp_path: Path) -> None:
    data = dataset.open_data(folder)
    pictures = data.colours(data.ready)
    fitted = latents.fit(pictures)
    encoded = fitted.encode(pictures)
    assert encoded.shape == (3, latents.CHANNELS, 16, 16)
    assert 0.7 < np.mean(encoded**2) < 1.3
    error = np.mean((fitted.decode(encoded) - pictures / 255.0) ** 2)
    flat = pictures.reshape(3, 16, 16, 16, 16, 3) / 255.0
    assert error < 0.3 * np.mean((flat - flat.mean((2, 4), keepdims=True)) ** 2)
    fewer = latents.fit(pictures, 8)
    assert error < np.mean((fewer.decode(fewer.encode(pictures)) - pictures / 255.0) ** 2)
    fitted.save(tmp_path / "latents.npz")
    again = latents.LinearLatents.load(tmp_path / "latents.npz")
    np.testing.assert_array_equal(again.encode(pictures), encoded)


def test_agreement_counts_right_answers() -> None:
    shown = [subject(seed) for seed in range(40)]
    right = np.stack([_outputs(traits.choices_of(s), traits.accessories_of(s)) for s in shown])
    assert set(traits.agreement(right, shown).values()) == {1.0}
    turned = np.roll(right, 1, 0)
    figures = traits.agreement(turned, shown)
    assert figures["hair_style"] < 0.4
    assert figures["all required"] == 0.0
    bare = right.copy()
    bare[:, -len(traits.ACCESSORIES) :] = -1.0
    without = traits.agreement(bare, shown)
    assert without["accessory"] == 0.0
    assert without["no accessory"] == without["outfit"] == 1.0


def _outputs(choices: np.ndarray, worn: np.ndarray) -> np.ndarray:
    """What a classifier answers that is sure."""
    parts = [
        np.eye(len(values), dtype=np.float32)[chosen]
        for values, chosen in zip(traits.CHOICES.values(), choices, strict=True)
    ]
    return np.concatenate([*parts, worn * 2 - 1])
