"""Networks and training of GANs in Keras, tiny. Skipped without TensorFlow."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from kuchipaku_contract.errors import InvalidArgumentError
from tests.training.gan_weights import LAYERS, face, weights_of, write_faces

tf = pytest.importorskip(
    "tensorflow",
    reason="TensorFlow is not installed: the GAN is trained in an environment of its own",
)
# Keras and TensorFlow warn of their own use of NumPy and of Python.
pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(300),
]

if tf is not None:
    from kuchipaku_training.gan import networks, train
    from kuchipaku_training.gan.architectures import LATENT_SIZES
    from kuchipaku_training.gan.augment import Augmentation
    from kuchipaku_training.gan.codec import fit_codec
    from kuchipaku_training.gan.export import write_model
    from kuchipaku_training.gan.pictures import Faces


@pytest.fixture(scope="module")
def faces() -> Any:
    return Faces(np.stack([face(i) for i in range(32)]), np.stack([face(i) for i in range(50, 60)]))


def _trainer(faces: Any, folder: Path, architecture: str = "small", epochs: int = 1) -> Any:
    settings = train.TrainSettings(architecture, epochs=epochs, batch=8)
    return train.Trainer(settings, faces, folder, Console(quiet=True))


def test_parameters_are_those_of_the_published_table() -> None:
    generator = networks.keras_model("g", LAYERS["classic"], (LATENT_SIZES["classic"],))
    counts = [layer.count_params() for layer in generator.layers]
    assert [count for count in counts if count] == [
        3_276_800, 131_072, 3_276_800, 1_024, 819_200, 512, 204_800, 256, 51_200, 128, 2_400,
    ]  # fmt: skip
    assert generator.output_shape == (None, 128, 128, 3)
    discriminator = networks.classic_discriminator()
    counts = [layer.count_params() for layer in discriminator.layers]
    assert [count for count in counts if count] == [4_864, 204_928, 131_073]
    shapes = [tuple(layer.output.shape[1:]) for layer in discriminator.layers]
    assert (64, 64, 64) in shapes
    assert (32, 32, 128) in shapes
    assert (131_072,) in shapes


@pytest.mark.parametrize("architecture", ["classic", "small"])
def test_the_names_of_weights_are_those_of_keras(architecture: str) -> None:
    size = LATENT_SIZES[architecture]
    model = networks.keras_model("g", LAYERS[architecture], (size,))
    found = networks.read_weights(model, LAYERS[architecture], size)
    assert sum(array.size for array in found.values()) == model.count_params()
    assert {name: array.shape for name, array in found.items()} == {
        name: array.shape for name, array in weights_of(architecture).items()
    }


@pytest.mark.parametrize("architecture", ["classic", "small"])
def test_a_trained_generator_is_exported_as_it_draws(
    faces: Any, tmp_path: Path, architecture: str
) -> None:
    trainer = _trainer(faces, tmp_path / "runs", architecture)
    before = trainer.recipe.weights()
    assert trainer.run()
    after = trainer.recipe.weights()
    changed = [name for name in before if (before[name] != after[name]).any()]
    assert len(changed) == len(before)
    assert all(np.isfinite(array).all() for array in after.values())
    figures = write_model(trainer.recipe, tmp_path / "generator.onnx", {})
    assert figures["parity_mean"] < 2e-3
    assert (tmp_path / "runs" / "sheets" / "epoch0001.jpg").exists()
    assert list((tmp_path / "runs" / "tensorboard").iterdir())
    with (tmp_path / "runs" / "losses.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["samples"] for row in rows] == ["32"]
    assert float(rows[0]["discriminator"]) > 0


def test_a_training_goes_on_where_it_stopped(
    faces: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _trainer(faces, tmp_path / "whole", epochs=2)
    assert whole.run()
    parts = _trainer(faces, tmp_path / "parts", epochs=2)
    step, learn = 0, parts.recipe.train_step

    def interrupted(pictures: Any, index: int) -> Any:
        nonlocal step
        step += 1
        if step == 6:
            raise KeyboardInterrupt
        return learn(pictures, index)

    monkeypatch.setattr(parts.recipe, "train_step", interrupted)
    assert not parts.run()
    again = _trainer(faces, tmp_path / "parts", epochs=2)
    assert again.resume()
    assert again.step == 5
    assert again.run()
    expected, found = whole.recipe.weights(), again.recipe.weights()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-3, atol=1e-4, err_msg=name)


def test_after_the_autoencoders_part_the_discriminator_alone_teaches(
    faces: Any, tmp_path: Path
) -> None:
    recipe = _trainer(faces, tmp_path, epochs=2).recipe
    batch = faces.train[:8]

    def step(number: int) -> tuple[set[str], set[str]]:
        names = ("encoder", "generator", "discriminator", "decoder")
        before = {
            name: [np.array(w) for w in getattr(recipe, name).get_weights()] for name in names
        }
        told = {
            name for name, value in recipe.train_step(batch, number).items() if value is not None
        }
        changed = {
            name
            for name in names
            for old, new in zip(before[name], getattr(recipe, name).get_weights(), strict=True)
            if not np.array_equal(old, new)
        }
        return changed, told

    assert step(0) == ({"encoder", "generator", "decoder"}, {"error", "divergence", "decoder"})
    later = 2 * len(faces.train) // 8 - 2
    changed, told = step(later)
    assert changed == {"generator", "discriminator", "decoder"}
    assert {"generator", "discriminator"} <= told
    assert not {"error", "divergence"} & told


def test_augmentation_moves_codes_and_leaves_their_colours(faces: Any) -> None:
    codec = fit_codec(faces.train)
    codes = codec.encode(faces.train[:4].astype(np.float32) / 127.5 - 1.0)
    seed = tf.constant([1, 2])
    np.testing.assert_array_equal(Augmentation("none", codec)(codes, seed), codes)
    moved = np.asarray(Augmentation("light", codec)(codes, seed))
    assert moved.shape == codes.shape
    # Its middle is found again in the original, up to 2 cells aside.
    reach = range(-2, 3)
    for one, original in zip(moved, codes, strict=True):
        errors = [
            np.abs(np.roll(original, (dy, dx), (0, 1))[4:12, 4:12] - one[4:12, 4:12]).max()
            for dy in reach
            for dx in reach
        ]
        assert min(errors) < 1e-4
    strong = np.asarray(Augmentation("strong", codec)(codes, seed))
    assert not np.allclose(strong, moved)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"architecture": "large"}, "architecture"),
        ({"epochs": 0}, "epochs"),
        ({"batch": 6}, "batch"),
        ({"precision": "int8"}, "precision"),
        ({"augment": "wild"}, "augment"),
        ({"learning_rate": -1.0}, "learning_rate"),
    ],
)
def test_settings_that_cannot_be_trained_with(values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        train.TrainSettings(**{"architecture": "small", **values})
    assert caught.value.field == field


def test_one_command_leads_from_pictures_to_a_model(tmp_path: Path) -> None:
    pictures = write_faces(tmp_path / "faces", 80)
    command = [sys.executable, "-m", "kuchipaku_training.cli", "gan", "--faces", str(pictures)]
    options = ["--work", str(tmp_path), "--epochs", "1", "--batch", "8", "--license", "CC0"]
    # Threads are set before TensorFlow computes: only a process of its own can do that here.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    subprocess.run([*command, *options], check=True, env=environment)
    folder = tmp_path / "export" / "small"
    assert {file.name for file in folder.iterdir()} == {"generator.onnx", "MODEL_CARD.md"}
    card = (folder / "MODEL_CARD.md").read_text("utf-8")
    assert "Licence: CC0" in card
    assert "72 faces were learned from, 8 held out" in card
    figures = json.loads((tmp_path / "reports" / "small.json").read_text("utf-8"))
    assert figures["real"] < figures["noise"]
    assert (tmp_path / "reports" / "small-nearest.jpg").exists()
