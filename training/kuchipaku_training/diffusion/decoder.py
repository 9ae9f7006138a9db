"""How the decoder is trained that makes pictures of the fixed linear latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kuchipaku_training.diffusion import networks
from kuchipaku_training.diffusion.dataset import BustData
from kuchipaku_training.diffusion.latents import PATCH, SCALING, LinearLatents
from kuchipaku_training.diffusion.pixels import picture_loss, psnr, to_tensor
from kuchipaku_training.loop import LoopSettings, TrainingLoop

_CROP: Final = 8


@dataclass(frozen=True)
class TrainSettings(LoopSettings):
    """As of `LoopSettings`; `pictures` crops of 128 pixels a step, or a quarter as many whole
    pictures in `whole_share` of the steps: what the decoder counts from the edges has to reach
    the middle.

    Half of the latents are made noisy, up to a standard deviation of `noise`, as those that a
    denoiser leaves are.
    """

    average: float = 0.998
    pictures: int = 8
    whole_share: float = 0.5
    noise: float = 0.2
    held_pictures: int = 24


@dataclass(frozen=True)
class DecoderScore:
    """PSNR in dB on held-out pictures: by the linear map back, and by the decoder."""

    linear: float
    decoded: float


class Trainer(TrainingLoop[BustData, DecoderScore]):
    """The decoder in training."""

    def __init__(self, linear: LinearLatents, settings: TrainSettings, folder: Path) -> None:
        torch.manual_seed(settings.seed)
        decoder = networks.build_autoencoder(linear).decoder
        super().__init__("decoder", decoder, settings, folder)
        self.linear = linear
        self.settings = settings

    def loss(self, data: BustData) -> Tensor:
        settings = self.settings
        rng = np.random.default_rng((settings.seed, self.step))
        whole = rng.random() < settings.whole_share
        count = max(1, settings.pictures // 4) if whole else settings.pictures
        crops = np.stack([_crop(data, rng, whole=whole) for _ in range(count)])
        latents = torch.from_numpy(self.linear.encode(crops))
        level = np.maximum(rng.uniform(-1, 1, count), 0).astype(np.float32)
        spread = torch.from_numpy(level)[:, None, None, None] * settings.noise
        latents += spread * torch.from_numpy(rng.standard_normal(latents.shape, np.float32))
        with self.precision():
            output = self.net((latents / SCALING).to(memory_format=torch.channels_last))
        return picture_loss(output.float(), to_tensor(crops))

    def measured(self, held: BustData) -> DecoderScore:
        pictures = held.colours(held.ready[: self.settings.held_pictures])
        latents = self.linear.encode(pictures)
        linear = torch.from_numpy(self.linear.decode(latents)).permute(0, 3, 1, 2) * 2 - 1
        decoded = self.average(torch.from_numpy(latents) / SCALING)
        truth = to_tensor(pictures)
        return DecoderScore(psnr(linear, truth), psnr(decoded, truth))

    def figures(self, score: DecoderScore) -> Mapping[str, float]:
        return {"psnr": score.decoded, "psnr_linear": score.linear}

    def told(self, score: DecoderScore) -> str:
        return f"PSNR {score.decoded:.2f} dB (linear {score.linear:.2f})"


def _crop(data: BustData, rng: np.random.Generator, *, whole: bool) -> NDArray[np.uint8]:
    """A picture, or a crop (128, 128, 3) at whole patches, mostly of the middle columns; at times
    mirrored."""
    index = int(data.ready[rng.integers(len(data.ready))])
    part = data.colours(np.array([index]))[0]
    if not whole:
        row, column = int(rng.integers(9)) * PATCH, int(rng.binomial(8, 0.5)) * PATCH
        part = part[row : row + _CROP * PATCH, column : column + _CROP * PATCH]
    return part[:, ::-1] if rng.random() < 0.5 else part
