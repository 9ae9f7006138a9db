"""The text encoder's first lesson: to read captions, before there are pictures.

What a caption says costs a network hardly anything to learn from captions alone, and very much
from the faint hints that noisy pictures give: a U-Net that starts with a text encoder which can
read listens from its first steps. Captions of any number of characters are there for the asking.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from kuchipaku_imagegen.illustrator import Attributes
from kuchipaku_training.checkpoints import put_averaged
from kuchipaku_training.diffusion import networks, traits
from kuchipaku_training.diffusion.captions import full_caption, training_caption
from kuchipaku_training.diffusion.classifier import traits_loss
from kuchipaku_training.diffusion.dataset import HELD_SEED, TRAIN_SEED
from kuchipaku_training.diffusion.denoiser import Denoiser
from kuchipaku_training.diffusion.subjects import subject
from kuchipaku_training.loop import LoopSettings, TrainingLoop

NAME: Final = "reader"
_TRAINED_SEEDS: Final = HELD_SEED - TRAIN_SEED


@dataclass(frozen=True)
class TrainSettings(LoopSettings):
    """As of `LoopSettings`; `captions` a step, of that many characters."""

    average: float = 0.99
    captions: int = 24
    held_captions: int = 300


class ReaderNetwork(nn.Module):
    """Tokens (n, 77) -> logits of all values of all traits (n, 84).

    What it takes over into the `Denoiser` are the text encoder, and the layer that pools what a
    caption says as a whole.
    """

    def __init__(self) -> None:
        super().__init__()
        whole = Denoiser(networks.build_tokenizer())
        self.text = whole.text
        self.pooling = whole.unet.add_embedding
        self.head = nn.Linear(self.pooling.norm2.normalized_shape[0], traits.OUTPUTS)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.pooling(self.text(words)[0]))


class Trainer(TrainingLoop[None, dict[str, float]]):
    """The reader in training; its score is how often it reads held-out captions, whose words are
    free, right."""

    def __init__(self, settings: TrainSettings, folder: Path) -> None:
        torch.manual_seed(settings.seed)
        super().__init__(NAME, ReaderNetwork(), settings, folder)
        self.settings = settings
        self.tokenizer = networks.build_tokenizer()

    def loss(self, data: None) -> Tensor:
        rng = random.Random(f"{self.settings.seed}-{self.step}")  # noqa: S311 - reproducible
        count = self.settings.captions
        shown = [subject(TRAIN_SEED + rng.randrange(_TRAINED_SEEDS)) for _ in range(count)]
        with self.precision():
            logits = self.net(self._tokens([training_caption(one, rng) for one in shown]))
        return traits_loss(logits.float(), shown)

    def measured(self, held: None) -> dict[str, float]:
        rng = random.Random(HELD_SEED)  # noqa: S311 - reproducible, not secret
        shown: list[Attributes] = [
            subject(HELD_SEED + index) for index in range(self.settings.held_captions)
        ]
        logits = self.average(self._tokens([full_caption(one, rng) for one in shown]))
        return traits.agreement(np.asarray(logits.float(), np.float32), shown)

    def figures(self, score: dict[str, float]) -> Mapping[str, float]:
        return score

    def told(self, score: dict[str, float]) -> str:
        return ", ".join(f"{name} {share:.3f}" for name, share in score.items())

    def _tokens(self, texts: list[str]) -> Tensor:
        return networks.tokens_of(self.tokenizer, texts)


def take_over(denoiser: Denoiser, runs: Path) -> None:
    """Give a fresh denoiser what the reader in `runs` has learnt.

    Raises FailedPreconditionError if it has not been trained.
    """
    reader = ReaderNetwork()
    put_averaged(reader, runs / f"{NAME}.pt", advice="train the reader first")
    denoiser.text.load_state_dict(reader.text.state_dict())
    denoiser.unet.add_embedding.load_state_dict(reader.pooling.state_dict())
