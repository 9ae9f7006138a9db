"""``kuchipaku fit``: a canvas that can be animated, and what was found on the way."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from kuchipaku.imagegen.v1 import imagegen_service_pb2 as pb

from .console import people, run
from .fit_drawing import annotated
from .imagine_service import ImageService, image_service_options
from .options import picture_from, write_result

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The canvas, as PNG.",
)
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="The findings, as JSON."
)
@click.option(
    "--annotate",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The canvas with head box and findings drawn on it, as PNG.",
)
@click.option("--check-only", is_flag=True, help="Only check a picture that is a canvas already.")
@click.option("--matting-model", default="", help="What removes a background.")
@image_service_options
def fit(
    picture: Path,
    output: Path,
    report: Path | None,
    annotate: Path | None,
    check_only: bool,
    matting_model: str,
    service: ImageService,
) -> None:
    """Cut out, turn upright, scale and crop PICTURE to a canvas, and check it.

    The exit status is 0 unless a check fails.
    """
    request = pb.FitCanvasRequest(
        image=picture_from(picture, "PICTURE"), check_only=check_only, matting_model=matting_model
    )
    answer = run(_fit(service, request))
    findings = report_of(answer)
    write_result(output, answer.canvas.png)
    if report is not None:
        write_result(report, (json.dumps(findings, indent=2) + "\n").encode())
    if annotate is not None:
        write_result(annotate, annotated(answer.canvas.png, findings))
    _print(findings)
    click.echo(str(output))
    sys.exit(1 if any(one["verdict"] == "fail" for one in findings["checks"]) else 0)


async def _fit(service: ImageService, request: pb.FitCanvasRequest) -> pb.FitCanvasResponse:
    async with service.connected() as (stub, _):
        answer: pb.FitCanvasResponse = await stub.FitCanvas(
            request, metadata=service.access.metadata
        )
        return answer


def report_of(answer: pb.FitCanvasResponse) -> dict[str, Any]:
    """The findings as plain JSON types."""
    checks = [
        {
            "name": check.name,
            "verdict": pb.CheckVerdict.Name(check.verdict).removeprefix("CHECK_VERDICT_").lower(),
            "message": check.message,
            "value": round(check.value, 4) if check.HasField("value") else None,
        }
        for check in answer.checks
    ]
    return {
        "checks": checks,
        "head": _head(answer.head) if answer.HasField("head") else None,
        "canvas_head": _head(answer.canvas_head) if answer.HasField("canvas_head") else None,
        "matting_model": answer.matting_model or None,
        "canvas_sha256": answer.canvas.sha256,
    }


def _head(head: pb.HeadBox) -> dict[str, float]:
    return {
        "center_x_px": round(head.center_x_px, 2),
        "center_y_px": round(head.center_y_px, 2),
        "side_px": round(head.side_px, 2),
        "angle_degrees": round(head.angle_degrees, 2),
        "confidence": round(head.confidence, 4),
    }


def _print(findings: dict[str, Any]) -> None:
    table = Table("check", "", "finding")
    for check in findings["checks"]:
        colour = _COLOURS[check["verdict"]]
        verdict = f"[{colour}]{check['verdict']}[/]"
        table.add_row(check["name"], verdict, escape(check["message"]))
    people.print(table)
