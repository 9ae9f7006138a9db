"""``kuchipaku cutout``: a picture without its background."""

from __future__ import annotations

from pathlib import Path

import click

from kuchipaku.imagegen.v1 import imagegen_service_pb2 as pb

from .console import people, run
from .imagine_service import ImageService, image_service_options
from .options import picture_from, write_result


@click.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="PNG."
)
@click.option("--model", default="", help="Matting model; the service's default unless given.")
@click.option("--alpha-matting", is_flag=True, help="Refine the edge by closed-form matting.")
@image_service_options
def cutout(
    picture: Path, output: Path, model: str, alpha_matting: bool, service: ImageService
) -> None:
    """Make the background of PICTURE transparent."""
    request = pb.RemoveBackgroundRequest(
        image=picture_from(picture, "PICTURE"), model=model, alpha_matting=alpha_matting
    )
    answer = run(_cut_out(service, request))
    write_result(output, answer.png)
    people.print(f"matting model: {answer.model}")
    click.echo(str(output))


async def _cut_out(
    service: ImageService, request: pb.RemoveBackgroundRequest
) -> pb.RemoveBackgroundResponse:
    async with service.connected() as (stub, _):
        answer: pb.RemoveBackgroundResponse = await stub.RemoveBackground(
            request, metadata=service.access.metadata
        )
        return answer
