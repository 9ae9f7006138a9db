"""A network that reads traits off pictures, to measure how well the model obeys its captions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kuchipaku_imagegen.illustrator import Attributes
from kuchipaku_training.checkpoints import put_averaged
from kuchipaku_training.diffusion import traits
from kuchipaku_training.diffusion.dataset import BustData
from kuchipaku_training.diffusion.pixels import to_tensor
from kuchipaku_training.loop import LoopSettings, TrainingLoop

_SHIFT: Final = 6
_BLOCK: Final = 60
_ACCESSORIES_WEIGHT: Final = 24.0
_WORN_WEIGHT: Final = 3.0


@dataclass(frozen=True)
class TrainSettings(LoopSettings):
    """As of `LoopSettings`; `pictures` a step."""

    average: float = 0.99
    pictures: int = 24


class ClassifierNetwork(nn.Module):
    """Pictures (n, 3, 256, 256), -1..1 -> logits of all values of all traits (n, 84)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.PixelUnshuffle(4)]
        before = 48
        for width, stride in ((48, 1), (96, 2), (96, 1), (128, 2), (128, 1), (160, 2), (160, 1)):
            layers += [
                nn.Conv2d(before, width, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            before = width
        self.body = nn.Sequential(*layers, nn.AvgPool2d(2))
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(before * 16, traits.OUTPUTS)

    def forward(self, picture: Tensor) -> Tensor:
        return self.head(self.drop(self.body(picture).flatten(1)))


class Trainer(TrainingLoop[BustData, dict[str, float]]):
    """The classifier in training; its score is how often it is right about held-out drawings."""

    def __init__(self, settings: TrainSettings, folder: Path) -> None:
        torch.manual_seed(settings.seed)
        super().__init__("classifier", ClassifierNetwork(), settings, folder)
        self.settings = settings

    def loss(self, data: BustData) -> Tensor:
        rng = np.random.default_rng((self.settings.seed, self.step))
        chosen = data.ready[rng.integers(len(data.ready), size=self.settings.pictures)]
        shown = [data.attributes(int(index)) for index in chosen]
        pictures = varied(to_tensor(data.colours(chosen)), rng)
        with self.precision():
            logits = self.net(pictures.contiguous(memory_format=torch.channels_last))
        return traits_loss(logits.float(), shown)

    def measured(self, held: BustData) -> dict[str, float]:
        return traits.agreement(read_traits(self.average, held), all_shown(held))

    def figures(self, score: dict[str, float]) -> Mapping[str, float]:
        return score

    def told(self, score: dict[str, float]) -> str:
        return ", ".join(f"{name} {share:.3f}" for name, share in score.items())


def varied(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Pictures shifted, mirrored, and made noisy and soft, as drawn and generated ones differ."""
    parts = []
    for picture in pictures:
        dx, dy = (int(step) for step in rng.integers(-_SHIFT, _SHIFT + 1, 2))
        one = torch.roll(picture, (dy, dx), (1, 2))
        parts.append(one.flip(2) if rng.random() < 0.5 else one)
    batch = torch.stack(parts)
    if rng.random() < 0.5:
        soft = nn.functional.avg_pool2d(batch, 3, 1, padding=1, count_include_pad=False)
        batch = torch.lerp(batch, soft, float(rng.random()))
    tint = torch.from_numpy(rng.normal(0, 0.02, (len(batch), 3, 1, 1)).astype(np.float32))
    noise = torch.from_numpy(rng.standard_normal(batch.shape, np.float32))
    return batch + tint + noise * float(rng.uniform(0, 0.08))


def traits_loss(logits: Tensor, shown: list[Attributes]) -> Tensor:
    """Cross-entropy of the choices, and of each accessory."""
    choices = torch.from_numpy(np.stack([traits.choices_of(one) for one in shown]))
    worn = torch.from_numpy(np.stack([traits.accessories_of(one) for one in shown]))
    sizes = [len(values) for values in traits.CHOICES.values()]
    *parts, accessories = logits.split([*sizes, len(traits.ACCESSORIES)], 1)
    # Each is worn by few: without more weight it takes long until any is seen at all.
    weight = torch.tensor(_WORN_WEIGHT)
    loss = _ACCESSORIES_WEIGHT * nn.functional.binary_cross_entropy_with_logits(
        accessories, worn, pos_weight=weight
    )
    for column, part in enumerate(parts):
        loss = loss + nn.functional.cross_entropy(part, choices[:, column])
    return loss


def all_shown(data: BustData) -> list[Attributes]:
    """What the finished pictures show."""
    return [data.attributes(int(index)) for index in data.ready]


def read_traits(net: nn.Module, data: BustData) -> NDArray[np.float32]:
    """The outputs (n, k) of a network for the finished pictures of a data set."""
    starts = range(0, len(data.ready), _BLOCK)
    return np.concatenate(
        [classify(net, data.colours(data.ready[at : at + _BLOCK])) for at in starts]
    )


def classify(net: nn.Module, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The outputs (n, k) for RGB pictures (n, 256, 256, 3)."""
    with torch.inference_mode():
        logits: NDArray[np.float32] = net(to_tensor(pictures)).numpy()
    return logits


def load_classifier(work: Path) -> ClassifierNetwork:
    """The trained network. Raises FailedPreconditionError if there is no checkpoint."""
    net = ClassifierNetwork()
    put_averaged(net, work / "runs" / "classifier.pt")
    return net.eval()
