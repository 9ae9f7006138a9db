"""Export of the model as a diffusers folder with its card, checked by loading it."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image
from rich.console import Console

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_training.diffusion import networks, pipeline
from kuchipaku_training.diffusion.card import write_card

MAX_BYTES: Final = 16_000_000
_PROMPT: Final = "girl, pink hair, twin tails, green eyes, navy sailor uniform"
_PARITY_LIMIT: Final = 6.0
_SHEETS: Final = ("obedience.png", "free_words.png")


def export_model(work: Path, folder: Path, console: Console, note: str = "") -> None:
    """Write the diffusers folder and its card, checked.

    The files in `folder` are replaced only when everything has succeeded. Raises
    FailedPreconditionError if a checkpoint or the evaluation is missing, if the loaded folder
    draws otherwise than the trained networks, or if it is larger than 16 MB.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
        draft = Path(name) / folder.name
        trained = pipeline.load_trained(work)
        before = pipeline.draw(_quiet(trained.pipe), [_PROMPT], 1)
        pipeline.write_folder(trained, draft)
        figures = _checked(draft, before)
        figures |= {
            "reader_steps": trained.reader_steps,
            "unet_steps": trained.unet_steps,
            "decoder_steps": trained.decoder_steps,
            "vocabulary": len(trained.pipe.tokenizer),
            "unet_parameters": networks.parameter_count(trained.pipe.unet),
            "text_parameters": networks.parameter_count(trained.pipe.text_encoder),
            "vae_parameters": networks.parameter_count(trained.pipe.vae),
        }
        reports = work / "reports"
        reports.mkdir(parents=True, exist_ok=True)
        (reports / "export.json").write_text(json.dumps(figures, indent=2), "utf-8")
        _copy_sheets(reports, draft)
        write_card(work, draft, note)
        if folder.exists():
            shutil.rmtree(folder)
        draft.replace(folder)
    console.print(
        f"wrote {folder}: {figures['bytes'] / 1e6:.2f} MB, parity {figures['parity']:.2f} of 255",
        highlight=False,
    )


def _quiet(pipe: Any) -> Any:
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _checked(folder: Path, before: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Size, and how far the loaded folder's picture is from that of the float32 networks."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > MAX_BYTES:
        raise FailedPreconditionError(
            f"the folder has {size / 1e6:.1f} MB, more than 16", reason="EXPORT_TOO_LARGE"
        )
    after = pipeline.draw(pipeline.open_folder(folder), [_PROMPT], 1)
    parity = float(np.abs(after.astype(np.float32) - before).mean())
    if parity > _PARITY_LIMIT:
        raise FailedPreconditionError(
            f"the folder's picture differs by {parity:.2f} of 255", reason="EXPORT_DIFFERS"
        )
    return {"bytes": size, "parity": round(parity, 3)}


def _copy_sheets(reports: Path, folder: Path) -> None:
    """Sheets for the card, as small as pictures for people may be."""
    for name in _SHEETS:
        source = reports / name
        if source.exists():
            with Image.open(source) as sheet:
                half = sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.LANCZOS)
            half.save(folder / f"{source.stem}.jpg", quality=82, optimize=True)
