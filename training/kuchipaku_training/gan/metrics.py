"""How near generated faces are to real ones: distances of features, diversity, copies."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_imagegen.onnxmodel import OnnxModel
from kuchipaku_training.gan.pictures import FACE_SIZE

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_BATCH: Final = 32
_SMALL: Final = 32
_PAIRS: Final = 4000


class Extractor:
    """Features of faces: what the residual blocks of the head-box examiner give, each channel's
    mean over the picture.

    The examiner is the network that judges faces (`examiner.onnx`). Its first blocks see lines
    and texture, its last ones faces.
    """

    def __init__(self, examiner: Path) -> None:
        """Open the network. Raises FailedPreconditionError if it is missing or another."""
        if not examiner.is_file():
            raise FailedPreconditionError(
                f"{examiner} is missing; it gives the features of the distance",
                reason="EXTRACTOR_MISSING",
                field="examiner",
            )
        model: Any = onnx.load(str(examiner))
        _end_in_features(model, examiner)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "extractor.onnx"
            onnx.save(model, str(path))
            self._model = OnnxModel(path)

    def __call__(self, faces: Pixels) -> Floats:
        """Faces (n, 128, 128, 3) uint8 -> features (n, f)."""
        parts = []
        for start in range(0, len(faces), _BATCH):
            values = faces[start : start + _BATCH].astype(np.float32).transpose(0, 3, 1, 2) / 255.0
            parts.append(self._model(np.ascontiguousarray(values)))
        return np.concatenate(parts)


def _end_in_features(model: Any, path: Path) -> None:
    """Replace the outputs of a network by the means of what its residual blocks give."""
    helper = onnx.helper
    sums = {node.output[0] for node in model.graph.node if node.op_type == "Add"}
    blocks = [
        node.output[0]
        for node in model.graph.node
        if node.op_type == "Relu" and node.input[0] in sums
    ]
    if not blocks:
        raise FailedPreconditionError(
            f"{path} has no residual blocks", reason="EXTRACTOR_UNKNOWN", field="examiner"
        )
    # Of the same form in every version of the operators, unlike ReduceMean.
    for block in blocks:
        pooled = helper.make_node("GlobalAveragePool", [block], [f"pooled {block}"])
        flat = helper.make_node("Flatten", [f"pooled {block}"], [f"mean of {block}"])
        model.graph.node.extend([pooled, flat])
    means = [f"mean of {block}" for block in blocks]
    model.graph.node.append(helper.make_node("Concat", means, ["features"], axis=1))
    del model.graph.output[:]
    kind = onnx.TensorProto.FLOAT
    model.graph.output.append(helper.make_tensor_value_info("features", kind, None))


@dataclass(frozen=True)
class Scale:
    """Brings features to mean 0 and deviation 1 on the faces that they were taken from."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, features: Floats) -> Scale:
        """The scale of features (n, f)."""
        return cls(features.mean(0), features.std(0) + np.float32(1e-6))

    def __call__(self, features: Floats) -> Floats:
        """Scale features (n, f)."""
        return (features - self.mean) / self.deviation


def frechet_distance(one: Floats, other: Floats) -> float:
    """Distance of two sets of features (n, f), each taken for a normal distribution
    (arXiv:1706.08500). It is larger for small sets: compare only sets of the same sizes."""
    mean1, mean2 = one.mean(0, dtype=np.float64), other.mean(0, dtype=np.float64)
    cov1 = np.cov(one.astype(np.float64), rowvar=False)
    cov2 = np.cov(other.astype(np.float64), rowvar=False)
    values, vectors = np.linalg.eigh(cov1)
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    both = np.linalg.eigvalsh(root @ cov2 @ root)
    cross = np.sqrt(np.maximum(both, 0.0)).sum()
    distance = ((mean1 - mean2) ** 2).sum() + np.trace(cov1) + np.trace(cov2) - 2.0 * cross
    return float(max(0.0, distance))


def diversity(features: Floats, seed: int = 0) -> float:
    """Mean distance of two faces' features: 0 if all faces are the same."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(len(features), size=(2, _PAIRS))
    apart = first != second
    far = features[first[apart]] - features[second[apart]]
    return float(np.sqrt((far.astype(np.float64) ** 2).sum(1)).mean())


def edge_energy(faces: Pixels) -> float:
    """Mean squared step between neighbouring pixels, of 0..255: blurred faces have little."""
    values = faces.astype(np.float32)
    across = np.diff(values, axis=2) ** 2
    down = np.diff(values, axis=1) ** 2
    return float((across.mean() + down.mean()) / 2.0)


@dataclass(frozen=True)
class Nearest:
    """For each face, the nearest of others: `index`, and `distance` (root mean square, 0..255)."""

    index: NDArray[np.int64]
    distance: Floats


def nearest(faces: Pixels, others: Pixels) -> Nearest:
    """The nearest of `others`, as they are or mirrored, compared at 32 x 32 pixels."""
    probes, pool = _small(faces), _small(others)
    turned = _small(others[:, :, ::-1])
    pool = np.concatenate([pool, turned])
    squares = (pool**2).sum(1)
    index, distance = [], []
    for start in range(0, len(probes), _BATCH):
        part = probes[start : start + _BATCH]
        far = (part**2).sum(1)[:, None] + squares[None] - 2.0 * part @ pool.T
        best = far.argmin(1)
        index.append(best % len(others))
        distance.append(np.sqrt(np.maximum(far[np.arange(len(part)), best], 0) / part.shape[1]))
    return Nearest(np.concatenate(index), np.concatenate(distance).astype(np.float32))


def _small(faces: Pixels) -> Floats:
    size = (_SMALL, _SMALL)
    rows = [
        np.asarray(Image.fromarray(face).resize(size, Image.Resampling.BOX), np.float32).ravel()
        for face in np.ascontiguousarray(faces)
    ]
    return np.stack(rows)


def blurred(faces: Pixels, radius: float = 1.5) -> Pixels:
    """The faces through a Gaussian filter of `radius` pixels."""
    filter_ = ImageFilter.GaussianBlur(radius)
    return np.stack([np.asarray(Image.fromarray(face).filter(filter_)) for face in faces])


def noisy(faces: Pixels, deviation: float = 40.0, seed: int = 0) -> Pixels:
    """The faces with noise of a standard deviation, of 0..255."""
    noise = np.random.default_rng(seed).normal(0.0, deviation, faces.shape)
    return np.clip(faces + noise, 0, 255).astype(np.uint8)


def noise(count: int, seed: int = 0) -> Pixels:
    """Pictures that show nothing but noise: every value is as likely as any other."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, FACE_SIZE, FACE_SIZE, 3), np.uint8)
