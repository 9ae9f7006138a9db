"""How the U-Net is trained, with words that the text encoder has learnt before.

The encoder stays as the reader left it: trained beside the U-Net, it forgets what shows in few
latents, above all the colour of the eyes, long before these have learnt to listen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPTokenizer

from kuchipaku_imagegen.illustrator import Attributes
from kuchipaku_training.diffusion import networks
from kuchipaku_training.diffusion.captions import training_caption
from kuchipaku_training.diffusion.dataset import BustData
from kuchipaku_training.diffusion.latents import EYES, LinearLatents
from kuchipaku_training.loop import LoopSettings, TrainingLoop

_HELD_SEED: Final = 9_000_000
_BLOCK: Final = 200
_NOISE_SHIFT: Final = 2.0
#: What the error where eyes are counts in training, elsewhere 1.
_EYE_WEIGHT: Final = 4.0
#: What the squared error of what captions decide counts, beside the mean one of latents.
_READOUT_WEIGHT: Final = 0.4


@dataclass(frozen=True)
class LatentData:
    """Latents of pictures and of their mirror images, and what the pictures show."""

    latents: NDArray[np.float16]
    """(n, 2, 32, 16, 16)"""
    attributes: tuple[Attributes, ...]


def encode_data(data: BustData, linear: LinearLatents) -> LatentData:
    """Encode the finished pictures of a data set."""
    parts = []
    for start in range(0, len(data.ready), _BLOCK):
        pictures = data.colours(data.ready[start : start + _BLOCK])
        both = [linear.encode(pictures), linear.encode(np.flip(pictures, 2))]
        parts.append(np.stack(both, 1).astype(np.float16))
    told = tuple(data.attributes(int(index)) for index in data.ready)
    return LatentData(np.concatenate(parts), told)


@dataclass(frozen=True)
class TrainSettings(LoopSettings):
    """As of `LoopSettings`; `held_batches` batches of held-out latents are measured."""

    learning_rate: float = 1.2e-3
    warmup: int = 100
    average: float = 0.997
    pictures: int = 24
    held_batches: int = 4
    held_every: int = 250
    save_every: int = 50


class Denoiser(nn.Module):
    """Text encoder and U-Net as one network: noisy latents, times and words -> velocity."""

    def __init__(self, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.text = networks.build_text_encoder(tokenizer)
        self.unet = networks.build_unet()

    def forward(self, noisy: Tensor, times: Tensor, words: Tensor) -> Tensor:
        """Velocity (n, 32, 16, 16) of latents, times (n,) in 0..999 and tokens (n, 77)."""
        context = self.text(words)[0]
        velocity: Tensor = self.unet(noisy, times, context).sample
        return velocity


def noisier(shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Times 0..999 of even shares in 0..1, most of them noisy (Esser et al., arXiv:2403.03206).

    Neighbouring latents are much alike, so that what a picture shows as a whole, and so what the
    caption decides, is still to be seen where single latents drown in noise.
    """
    shifted = _NOISE_SHIFT * shares / (1 + (_NOISE_SHIFT - 1) * shares)
    return np.minimum(shifted * networks.TRAIN_TIMES, networks.TRAIN_TIMES - 1).astype(np.int64)


class Trainer(TrainingLoop[LatentData, float]):
    """Denoiser in training; its score is the mean squared error of held-out latents, of which
    some count more in training.

    Velocity as of Salimans and Ho (arXiv:2202.00512): noise * alpha - latent * sigma.
    """

    def __init__(self, settings: TrainSettings, folder: Path) -> None:
        torch.manual_seed(settings.seed)
        self._readout: Tensor | None = None
        self.tokenizer = networks.build_tokenizer()
        denoiser = Denoiser(self.tokenizer)
        for part in (denoiser.text, denoiser.unet.add_embedding):
            part.requires_grad_(False)
        super().__init__("unet", denoiser, settings, folder)
        self.settings = settings
        kept = networks.build_scheduler().alphas_cumprod
        self._weights = torch.ones(networks.LATENT_SIZE, networks.LATENT_SIZE)
        self._weights[EYES] = _EYE_WEIGHT
        self._alpha, self._sigma = kept.sqrt().float(), (1 - kept).sqrt().float()

    def begin(self, prepare: Callable[[Denoiser], None]) -> None:
        """Let `prepare` set some of the first weights."""
        for net in (self.net, self.average):
            prepare(cast(Denoiser, net))

    def weigh(self, readout: NDArray[np.float32]) -> None:
        """Let errors in what `readout` (8192, k) reads from latents weigh besides."""
        self._readout = torch.from_numpy(readout)

    def loss(self, data: LatentData) -> Tensor:
        errors = self._batch_errors(self.net, data, (self.settings.seed, self.step))
        loss = (errors**2 * self._weights).mean()
        if self._readout is not None:
            told = (errors.flatten(1) @ self._readout) ** 2
            loss = loss + _READOUT_WEIGHT * told.sum(1).mean()
        return loss

    def measured(self, held: LatentData) -> float:
        seeds = [(_HELD_SEED, index) for index in range(self.settings.held_batches)]
        errors = [(self._batch_errors(self.average, held, seed) ** 2).mean() for seed in seeds]
        return float(np.mean([float(error) for error in errors]))

    def figures(self, score: float) -> Mapping[str, float]:
        return {"held_error": score}

    def told(self, score: float) -> str:
        return f"error {score:.4f}"

    def _batch_errors(self, net: nn.Module, data: LatentData, seed: tuple[int, int]) -> Tensor:
        """Errors of the velocity (n, 32, 16, 16) on the batch of a seed."""
        rng, count = np.random.default_rng(seed), self.settings.pictures
        chosen = rng.integers(len(data.attributes), size=count)
        clean = torch.from_numpy(data.latents[chosen, rng.integers(2, size=count)].astype("f4"))
        noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32))
        words = self._tokens([data.attributes[index] for index in chosen], rng)
        # One time from each slice of the whole, so that batches differ less.
        moments = torch.from_numpy(noisier((np.arange(count) + rng.random(count)) / count))
        alpha, sigma = (table[moments][:, None, None, None] for table in (self._alpha, self._sigma))
        noisy = (alpha * clean + sigma * noise).to(memory_format=torch.channels_last)
        with self.precision():
            velocity = net(noisy, moments, words)
        return velocity.float() - (alpha * noise - sigma * clean)

    def _tokens(self, shown: list[Attributes], rng: np.random.Generator) -> Tensor:
        teller = random.Random(int(rng.integers(2**62)))  # noqa: S311 - reproducible, not secret
        texts = [training_caption(attributes, teller) for attributes in shown]
        return networks.tokens_of(self.tokenizer, texts)
