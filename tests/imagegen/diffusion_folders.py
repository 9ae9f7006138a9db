"""Small diffusion models with random weights, saved as users' folders are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SIDE = 64
_WORDS = 600


def _modules() -> tuple[Any, Any, Any]:
    reason = "diffusers is not installed: install kuchipaku-imagegen[diffusion] to run this"
    torch = pytest.importorskip("torch", reason=reason)
    diffusers = pytest.importorskip("diffusers", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    diffusers.utils.logging.set_verbosity_error()
    transformers.logging.set_verbosity_error()
    return torch, diffusers, transformers


def _tokenizer(transformers: Any) -> Any:
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {word: index for index, word in enumerate(words)}
    for word in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[word] = len(vocabulary)
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def _text_config(transformers: Any, tokenizer: Any, **more: Any) -> Any:
    return transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **more,
    )


def _vae(diffusers: Any) -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=[8, 16],
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=SIDE,
    )


def _unet(diffusers: Any, **more: Any) -> Any:
    return diffusers.UNet2DConditionModel(
        block_out_channels=(16, 32),
        layers_per_block=1,
        sample_size=SIDE // 2,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
        **{"cross_attention_dim": 32, "attention_head_dim": 4, **more},
    )


def save_sd(folder: Path, *, lcm: bool = False) -> Path:
    """A folder like one of Stable Diffusion 1.5, or of a latent consistency model."""
    torch, diffusers, transformers = _modules()
    torch.manual_seed(0)
    tokenizer = _tokenizer(transformers)
    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    scheduler = diffusers.LCMScheduler if lcm else diffusers.DPMSolverMultistepScheduler
    pipe = diffusers.StableDiffusionPipeline(
        vae=_vae(diffusers),
        text_encoder=transformers.CLIPTextModel(_text_config(transformers, tokenizer)),
        tokenizer=tokenizer,
        unet=_unet(diffusers, time_cond_proj_dim=32) if lcm else _unet(diffusers),
        scheduler=scheduler(**betas),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder)
    return folder


def save_sdxl(folder: Path) -> Path:
    """A folder like one of Stable Diffusion XL."""
    torch, diffusers, transformers = _modules()
    torch.manual_seed(0)
    tokenizer = _tokenizer(transformers)
    config = _text_config(transformers, tokenizer, projection_dim=32)
    pipe = diffusers.StableDiffusionXLPipeline(
        vae=_vae(diffusers),
        text_encoder=transformers.CLIPTextModel(config),
        text_encoder_2=transformers.CLIPTextModelWithProjection(config),
        tokenizer=tokenizer,
        tokenizer_2=_tokenizer(transformers),
        unet=_unet(
            diffusers,
            cross_attention_dim=64,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=80,
            transformer_layers_per_block=(1, 1),
            use_linear_projection=True,
        ),
        scheduler=diffusers.EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"
        ),
    )
    pipe.save_pretrained(folder)
    return folder


def save_lora(model: Path, folder: Path) -> Path:
    """A strong adapter with random weights for the U-Net of `model`, saved as trainers save one."""
    torch, diffusers, _ = _modules()
    reason = "peft is not installed: install kuchipaku-imagegen[diffusion] to run this"
    peft = pytest.importorskip("peft", reason=reason)
    unet = diffusers.UNet2DConditionModel.from_pretrained(model / "unet")
    unet.add_adapter(
        peft.LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v", "to_out.0"])
    )
    torch.manual_seed(3)
    layers = peft.get_peft_model_state_dict(unet)
    layers = {name: torch.randn_like(weight) for name, weight in layers.items()}
    diffusers.StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=layers)
    return folder
