"""The parts of the model, all of them classes of diffusers and transformers.

Whoever has these two libraries loads the export; nothing of this repository is needed.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderTiny, DPMSolverMultistepScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from kuchipaku_training.diffusion import captions, decoder_start, tokens
from kuchipaku_training.diffusion.latents import (
    CHANNELS,
    PATCH,
    QUARTER_CHANNELS,
    SCALING,
    LinearLatents,
)
from kuchipaku_training.diffusion.subjects import SIZE

LATENT_SIZE: Final = SIZE // PATCH
TRAIN_TIMES: Final = 1000
_TEXT_SIZE: Final = 128
#: Times that the sides are halved between picture and latents.
_HALVINGS: Final = 4


def build_tokenizer() -> CLIPTokenizer:
    """The tokenizer, every word of captions one token, at most 77 of them."""
    merges = tokens.learn_merges(captions.known_words())
    with tempfile.TemporaryDirectory() as folder:
        vocab, rules = Path(folder) / "vocab.json", Path(folder) / "merges.txt"
        vocab.write_text(json.dumps(tokens.vocabulary(merges)), "utf-8")
        lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
        rules.write_text("\n".join(lines) + "\n", "utf-8")
        return CLIPTokenizer.from_pretrained(
            folder,
            bos_token=tokens.START,
            eos_token=tokens.END,
            unk_token=tokens.END,
            pad_token=tokens.END,
            model_max_length=tokens.MAX_TOKENS,
        )


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """A small CLIP text encoder with fresh weights."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=_TEXT_SIZE,
            intermediate_size=4 * _TEXT_SIZE,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=tokens.MAX_TOKENS,
            hidden_act="gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            initializer_range=0.1,
        )
    )


def tokens_of(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """Tokens (n, 77) of texts, padded and cut as diffusers does."""
    found = tokenizer(
        texts,
        padding="max_length",
        max_length=tokens.MAX_TOKENS,
        truncation=True,
        return_tensors="pt",
    )
    ids: Tensor = found.input_ids
    return ids


def build_unet() -> UNet2DConditionModel:
    """A small conditional U-Net on latents (n, 32, 16, 16), with fresh weights.

    Words are attended to where the latents have been halved: attention at the full size costs more
    than all the rest. What the caption says as a whole is pooled and added to the time, so that
    every layer hears of it: without that, captions are not listened to for a long time.
    """
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(96, 144),
        layers_per_block=(2, 1),
        cross_attention_dim=_TEXT_SIZE,
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def build_autoencoder(linear: LinearLatents | None = None) -> AutoencoderTiny:
    """An autoencoder whose encoder is linear; with `linear` it computes that, and the decoder
    begins as the map back."""
    stages = _HALVINGS + 1
    vae = AutoencoderTiny(
        encoder_block_out_channels=(QUARTER_CHANNELS,) * stages,
        decoder_block_out_channels=(decoder_start.WIDTH,) * stages,
        num_encoder_blocks=(0,) * stages,
        num_decoder_blocks=decoder_start.BLOCKS,
        latent_channels=CHANNELS,
        scaling_factor=SCALING,
    )
    if linear is not None:
        _set_encoder(vae, linear)
        decoder_start.start_linear(vae, linear)
    return vae


def _set_encoder(vae: AutoencoderTiny, linear: LinearLatents) -> None:
    """Make the encoder compute `linear`.

    Its convolutions pack 2 x 2 pixels into channels twice, then compute the components of quarters
    (8 x 8 pixels), then latents.
    """
    parts = [part for part in vae.encoder.layers if isinstance(part, nn.Conv2d)]
    first, second = torch.from_numpy(linear.first), torch.from_numpy(linear.second)
    offset = -torch.from_numpy(linear.matrix) @ torch.from_numpy(linear.mean)
    with torch.no_grad():
        for part in parts:
            part.weight.zero_()
            if part.bias is not None:
                part.bias.zero_()
        parts[0].weight[:3, :, 1, 1] = torch.eye(3)
        parts[-1].weight[:, :CHANNELS, 1, 1] = torch.eye(CHANNELS)
        parts[-1].bias.copy_(offset / SCALING)
        _set_halving(parts[1], torch.eye(12).reshape(12, 3, 4))
        _set_halving(parts[2], torch.eye(48).reshape(48, 12, 4))
        _set_halving(parts[3], first[:, _packed_order()])
        by_quarter = second.reshape(len(second), 4, -1).transpose(1, 2)
        _set_halving(parts[4], by_quarter / SCALING)
    vae.encoder.requires_grad_(False)


def _set_halving(part: nn.Conv2d, weight: Tensor) -> None:
    """Let a convolution of stride 2 apply `weight` (out, in, 4) to 2 x 2 pixels."""
    rows, columns = weight.shape[:2]
    part.weight[:rows, :columns, 1:, 1:] = weight.reshape(rows, columns, 2, 2)


def _packed_order() -> Tensor:
    """Where the values (48, 4) of a quarter, packed twice, lie among its 192: row, column, RGB."""
    side = PATCH // 2
    index = torch.arange(side * side * 3.0).reshape(side, side, 3).permute(2, 0, 1)[None]
    for _ in range(3):
        index = nn.functional.pixel_unshuffle(index, 2)
    return index.long().reshape(48, 4)


def build_scheduler(**changes: Any) -> DPMSolverMultistepScheduler:
    """The noise schedule, and the solver that the export uses."""
    settings: dict[str, Any] = {
        "num_train_timesteps": TRAIN_TIMES,
        "beta_schedule": "squaredcos_cap_v2",
        "prediction_type": "v_prediction",
        "timestep_spacing": "trailing",
    }
    return DPMSolverMultistepScheduler(**(settings | changes))


def parameter_count(net: nn.Module) -> int:
    """How many numbers a network holds."""
    return sum(value.numel() for value in net.parameters())
