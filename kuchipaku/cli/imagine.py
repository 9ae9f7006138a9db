"""``kuchipaku imagine``: pictures from a prompt, and a contact sheet of them."""

from __future__ import annotations

import io
import math
from pathlib import Path

import click
from rich.markup import escape
from rich.progress import Progress

from kuchipaku.imagegen.v1 import imagegen_service_pb2 as pb
from kuchipaku_contract.errors import InternalError
from kuchipaku_contract.limits import LIMITS

from .console import people, run
from .imagine_service import ImageService, image_service_options
from .options import SEED, picture_from

_TILE = 256
_GAP = 8
_PAPER = (236, 238, 244, 255)


@click.command()
@click.argument("prompt")
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1, LIMITS.max_images),
    default=4,
    show_default=True,
    help="Pictures, with the seeds SEED, SEED + 1, ...",
)
@click.option("--seed", type=SEED, help="Random unless given.")
@click.option(
    "--model",
    default="",
    help="Image model; the service's default unless given. Without --address also "
    "diffusers:FOLDER or gan:FILE.onnx.",
)
@click.option("--negative", default="", help="What to avoid.")
@click.option(
    "--size",
    type=click.IntRange(0, LIMITS.max_generated_side_px),
    default=0,
    help="Side of the pictures, in pixels.",
)
@click.option(
    "--steps",
    type=click.IntRange(0, LIMITS.max_diffusion_steps),
    default=0,
    help="Denoising steps.",
)
@click.option("--guidance", type=float, default=0.0, help="Guidance scale.")
@click.option("--plain", is_flag=True, help="Give the prompt to the model without a template.")
@click.option(
    "--from",
    "start",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Picture to start from.",
)
@click.option("--strength", type=click.FloatRange(0, 1), default=0.0, help="How far from it.")
@click.option("--to-seed", type=SEED, help="GAN models: pictures on the way to this seed.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the PNG files and sheet.png.",
)
@image_service_options
def imagine(
    prompt: str,
    count: int,
    seed: int | None,
    model: str,
    negative: str,
    size: int,
    steps: int,
    guidance: float,
    plain: bool,
    start: Path | None,
    strength: float,
    to_seed: int | None,
    output: Path,
    service: ImageService,
) -> None:
    """Draw pictures of PROMPT into a folder."""
    service, name = service.with_model(model)
    request = pb.GenerateImageRequest(
        prompt=prompt,
        negative_prompt=negative,
        image_count=count,
        seed=seed,
        model=name,
        width_px=size,
        height_px=size,
        step_count=steps,
        guidance_scale=guidance,
        plain_prompt=plain,
        init_image=picture_from(start, "--from") if start else b"",
        init_strength=strength,
        end_seed=to_seed,
    )
    images = run(_draw(service, request, output))
    for phrase in dict.fromkeys(p for image in images for p in image.ignored_phrases):
        people.print(f"[yellow]not understood:[/] {escape(phrase)}")
    sheet = output / "sheet.png"
    sheet.write_bytes(contact_sheet([image.png for image in images]))
    for path in (*(_path(output, image) for image in images), sheet):
        click.echo(str(path))


def _path(folder: Path, image: pb.GeneratedImage) -> Path:
    return folder / f"{image.image_index:02d}_seed_{image.seed}.png"


async def _draw(
    service: ImageService, request: pb.GenerateImageRequest, folder: Path
) -> list[pb.GeneratedImage]:
    """Write each picture as soon as it is there: later ones may fail."""
    images: list[pb.GeneratedImage] = []
    async with service.connected() as (stub, progress):
        metadata = service.access.metadata
        bars = _Bars(progress, request.image_count)
        async for answer in stub.GenerateImage(request, metadata=metadata):
            kind = answer.WhichOneof("payload")
            if kind == "progress":
                bars.show(answer.progress)
            elif kind == "image":
                images.append(answer.image)
                folder.mkdir(parents=True, exist_ok=True)
                _path(folder, answer.image).write_bytes(answer.image.png)
    if len(images) != request.image_count:
        raise InternalError("Pictures are missing.", reason="PICTURES_MISSING")
    return sorted(images, key=lambda image: image.image_index)


class _Bars:
    """One bar over all pictures."""

    def __init__(self, progress: Progress, count: int) -> None:
        self._progress = progress
        self._task = progress.add_task("pictures", total=float(count))
        self._shares: dict[int, float] = {}

    def show(self, step: pb.GenerateImageProgress) -> None:
        """Note how far a picture has come."""
        self._shares[step.image_index] = step.step / max(1, step.step_count)
        self._progress.update(self._task, completed=sum(self._shares.values()))


def contact_sheet(pngs: list[bytes]) -> bytes:
    """All pictures side by side on paper, as PNG. Raises `click.UsageError` without Pillow."""
    try:
        from PIL import Image  # noqa: PLC0415 - the plain client does without
    except ImportError as error:
        raise click.UsageError("A sheet needs Pillow: install kuchipaku[png].") from error
    columns = math.ceil(math.sqrt(len(pngs)))
    rows = math.ceil(len(pngs) / columns)
    step = _TILE + _GAP
    sheet = Image.new("RGBA", (columns * step + _GAP, rows * step + _GAP), _PAPER)
    for index, png in enumerate(pngs):
        with Image.open(io.BytesIO(png)) as image:
            tile = image.convert("RGBA")
        tile.thumbnail((_TILE, _TILE))
        row, column = divmod(index, columns)
        sheet.alpha_composite(tile, (_GAP + column * step, _GAP + row * step))
    out = io.BytesIO()
    sheet.convert("RGB").save(out, "PNG")
    return out.getvalue()
