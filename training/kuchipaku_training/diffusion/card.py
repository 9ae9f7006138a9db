"""The model card of the diffusion model, written from the reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_training.diffusion.traits import REQUIRED

_WANTED: Final = 0.8

_TEXT = """---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-image
---

# Starter diffusion model

A very small text-to-image model: busts of anime characters, 256 x 256 pixels, by captions. It is
made for demos, load tests and continuous integration, where a model of gigabytes cannot be had.

- Licence: Apache-2.0, weights and data. Nothing of third parties is in the training data.
- A diffusers folder: `StableDiffusionPipeline` of CLIPTokenizer ({vocabulary} tokens: words of the
  domain are whole tokens), CLIPTextModel ({text:.2f} M parameters), UNet2DConditionModel
  ({unet:.2f} M, v-prediction, 32 x 16 x 16 latents), AutoencoderTiny ({vae:.2f} M, linear encoder,
  trained decoder), DPMSolverMultistepScheduler. Safetensors, float16, {size:.2f} MB; no code.
- {steps} steps with a guidance of {guidance:g} are meant; `kuchipaku.json` says so to Kuchipaku,
  whoever calls diffusers says so himself.

```python
from diffusers import DiffusionPipeline
pipe = DiffusionPipeline.from_pretrained("models/starter/diffusion")
pipe("girl, pink hair, twin tails, green eyes, navy sailor uniform, glasses",
     num_inference_steps={steps}, guidance_scale={guidance:g}).images[0]
```

## Training
{pictures} busts of this repository's illustrator and their mirror images on a plain background,
captions with synonyms, gaps, other orders, idle words and the service's template. The latents are
principal components of patches of 16 x 16 pixels, found in closed form; decoder: {decoder_steps}
steps of 8 crops. {reading}U-Net: {unet_steps} steps of 24 pictures, with a text encoder that stays
as it is. AdamW, bf16, one thread of a CPU, averaged weights.{note}
Train it again with `python -m kuchipaku_training.diffusion all`.

## Held-out figures
{captions} captions of characters that training never saw. A classifier trained on the drawings, and
never on pictures of the model, reads the traits:

| trait | drawings | drawings through the autoencoder | usual words | free words | other captions |
|---|---|---|---|---|---|
{rows}

"drawings" is the classifier's own accuracy on held-out drawings. "usual words" and "free words" are
the model's pictures: of captions in the illustrator's words, and of captions with synonyms in any
order within the service's template and negative prompt. "other captions" compares the pictures with
captions of others: what a model reaches that does not listen. "accessory" is the share of named
accessories that are seen; "all required" needs all of a caption's traits at once.
Wanted: {wanted:.0%} of hair colour, hair style, eye colour, outfit, accessory. {verdict}

- Autoencoder: {psnr:.1f} dB PSNR on held-out drawings.
- Copies: the nearest of the training pictures (and mirror images) is {drawn:.1f} of 255 away on
  average (root mean square at 64 x 64 pixels; least {drawn_least:.1f}); from held-out drawings
  {unseen:.1f} (least {unseen_least:.1f}).
- Of {fitted} pictures the service makes canvases of {canvases:.0%}; no check fails in
  {faultless:.0%}.
- {seconds:.1f} CPU seconds a picture, float32, one thread of an AMD EPYC, {steps} steps with
  guidance.

![Drawings, and below each the model's picture for its caption](obedience.jpg)

Rows in pairs: what the illustrator draws, and below it the model's picture for the same caption.
[The same with free words](free_words.jpg).

## Limits
- One style, one pose, one background: heads and shoulders of the illustrator's characters.
- Words that the illustrator does not know have no meaning. Names, scenes and actions are ignored.
- Details suffer first: lines of accessories, eyes, small patterns.
"""


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise FailedPreconditionError(
            f"{path} is missing; run the evaluation first", reason="REPORT_MISSING"
        )
    report: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return report


def _rows(held: dict[str, Any]) -> str:
    kinds = [*held["agreement"].values(), held["chance"]]
    return "\n".join(
        f"| {name.replace('_', ' ')} | " + " | ".join(f"{kind[name]:.1%}" for kind in kinds) + " |"
        for name in kinds[0]
    )


_READING: Final = (
    "The text encoder first learns to read: {steps} steps of 24 captions without pictures.\n"
)


def verdict(agreement: dict[str, float]) -> str:
    """Which of the required traits the model obeys often enough, in words."""
    short = [name.replace("_", " ") for name in REQUIRED if agreement[name] < _WANTED]
    if not short:
        return "All of them are reached with usual words."
    return f"Not reached with usual words: {', '.join(short)}."


def write_card(work: Path, folder: Path, note: str = "") -> None:
    """Write `MODEL_CARD.md` to `folder`. Raises FailedPreconditionError if a report is missing."""
    reports = work / "reports"
    held, export = _read(reports / "held_out.json"), _read(reports / "export.json")
    copies, fitted = held["copies"], held["fitted"]
    read = export["reader_steps"]
    text = _TEXT.format(
        vocabulary=export["vocabulary"],
        text=export["text_parameters"] / 1e6,
        unet=export["unet_parameters"] / 1e6,
        vae=export["vae_parameters"] / 1e6,
        size=export["bytes"] / 1e6,
        steps=held["steps"],
        guidance=held["guidance"],
        pictures=held["training_pictures"],
        decoder_steps=export["decoder_steps"],
        reading=_READING.format(steps=read) if read else "",
        unet_steps=export["unet_steps"],
        note=f" {note}" if note else "",
        captions=held["captions"],
        rows=_rows(held),
        wanted=_WANTED,
        verdict=verdict(held["agreement"]["usual words"]),
        psnr=held["autoencoder_psnr"],
        drawn=copies["drawn_mean"],
        drawn_least=copies["drawn_least"],
        unseen=copies["unseen_mean"],
        unseen_least=copies["unseen_least"],
        fitted=fitted["pictures"],
        canvases=fitted["canvases"],
        faultless=fitted["no_check_fails"],
        seconds=held["cpu_seconds_per_picture"],
    )
    (folder / "MODEL_CARD.md").write_text(text, "utf-8")
