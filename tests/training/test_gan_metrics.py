"""Figures of generated faces: they order what is better and worse."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from kuchipaku_contract.errors import FailedPreconditionError
from tests.training.gan_weights import face

pytest.importorskip("onnx", reason="onnx is not installed: it reads the extractor")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: it runs the extractor")
metrics = pytest.importorskip("kuchipaku_training.gan.metrics")
evaluation = pytest.importorskip("kuchipaku_training.gan.evaluate")
pictures = pytest.importorskip("kuchipaku_training.gan.pictures")

_EXAMINER = Path("models/starter/headbox/examiner.onnx")


def test_the_distance_of_normal_distributions_is_the_known_one() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(0, 1, (20_000, 3)).astype(np.float32)
    assert metrics.frechet_distance(one, one) == pytest.approx(0.0, abs=1e-6)
    # Means 2 apart, deviations 1 and 3 in one of the dimensions: 4 + (3 - 1)^2.
    other = rng.normal(0, 1, (20_000, 3)).astype(np.float32) * (1, 1, 3) + (2, 0, 0)
    assert metrics.frechet_distance(one, other) == pytest.approx(8.0, rel=0.05)


def test_diversity_is_none_where_all_are_the_same() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(0, 1, (400, 6)).astype(np.float32)
    assert metrics.diversity(np.repeat(features[:1], 400, 0)) == 0.0
    assert metrics.diversity(3 * features) == pytest.approx(3 * metrics.diversity(features))


def test_blurred_faces_have_weaker_edges() -> None:
    faces = np.stack([face(seed) for seed in range(4)])
    assert metrics.edge_energy(metrics.blurred(faces)) < 0.5 * metrics.edge_energy(faces)
    assert metrics.edge_energy(metrics.noisy(faces)) > 2 * metrics.edge_energy(faces)


def test_copies_are_found_even_mirrored() -> None:
    faces = np.stack([face(seed) for seed in range(12)])
    found = metrics.nearest(faces[[7, 3]][:, :, ::-1], faces)
    assert found.index.tolist() == [7, 3]
    assert found.distance.max() < 0.5
    assert metrics.nearest(np.stack([face(99)]), faces).distance[0] > 2.0


def _faces() -> object:
    train = np.stack([face(seed) for seed in range(160)])
    held = np.stack([face(seed) for seed in range(1000, 1040)])
    return pictures.Faces(train, held)


def test_better_faces_get_better_figures() -> None:
    faces = _faces()
    extractor = metrics.Extractor(_EXAMINER)
    good = np.stack([face(seed) for seed in range(2000, 2040)])
    copied = faces.train[:40]  # type: ignore[attr-defined]
    alike = np.repeat(good[:1], 40, 0)
    figures = {
        name: evaluation.measure(generated, faces, extractor)
        for name, generated in {
            "good": good,
            "blurred": metrics.blurred(good, 3.0),
            "copied": copied,
            "alike": alike,
        }.items()
    }
    assert figures["good"].ordered
    assert figures["good"].distance < figures["blurred"].distance
    assert figures["good"].distance < figures["alike"].distance
    assert figures["blurred"].edges < 0.5 < figures["good"].edges
    assert figures["alike"].diversity < 0.05 < 0.8 < figures["good"].diversity
    assert figures["copied"].copies == 1.0
    assert figures["good"].copies < 0.2
    assert asdict(figures["good"])["pictures"] == 40


def test_too_few_faces_are_not_measured() -> None:
    faces = pictures.Faces(*(np.stack([face(0)] * 3),) * 2)
    with pytest.raises(FailedPreconditionError) as caught:
        evaluation.measure(faces.held, faces, metrics.Extractor(_EXAMINER))
    assert caught.value.reason == "TOO_FEW_FACES"


def test_an_extractor_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FailedPreconditionError) as caught:
        metrics.Extractor(tmp_path / "examiner.onnx")
    assert (caught.value.reason, caught.value.field) == ("EXTRACTOR_MISSING", "examiner")
