"""Draws what was found onto a canvas."""

from __future__ import annotations

import io
import math
from typing import Any

import click

_WANTED = (192, 64, 320, 192)
_COLOURS = {"ok": (40, 140, 70), "warn": (190, 120, 0), "fail": (200, 40, 40)}
_SIDE = 512
_LINE = 20


def annotated(canvas_png: bytes, findings: dict[str, Any]) -> bytes:
    """The canvas on checks, where the head should be and is, and the findings, as PNG.

    Raises `click.UsageError` without Pillow.
    """
    try:
        from PIL import Image, ImageDraw  # noqa: PLC0415 - the plain client does without
    except ImportError as error:
        raise click.UsageError("--annotate needs Pillow: install kuchipaku[png].") from error
    with Image.open(io.BytesIO(canvas_png)) as image:
        canvas = image.convert("RGBA")
    checks = findings["checks"]
    sheet = Image.new("RGBA", (_SIDE, _SIDE + _LINE * len(checks) + 8), (250, 250, 252, 255))
    draw = ImageDraw.Draw(sheet)
    for top in range(0, _SIDE, 32):
        for left in range((top // 32 % 2) * 32, _SIDE, 64):
            draw.rectangle((left, top, left + 31, top + 31), fill=(226, 229, 236, 255))
    sheet.alpha_composite(canvas)
    draw.rectangle(_WANTED, outline=(60, 90, 200, 255), width=1)
    if findings["canvas_head"] is not None:
        draw.polygon(_corners(findings["canvas_head"]), outline=(220, 40, 90, 255), width=2)
    for row, check in enumerate(checks):
        place = (6, _SIDE + 6 + row * _LINE)
        text = f"{check['verdict']:>4}  {check['name']}: {check['message']}"
        draw.text(place, text[:92], fill=_COLOURS[check["verdict"]])
    out = io.BytesIO()
    sheet.convert("RGB").save(out, "PNG")
    return out.getvalue()


def _corners(head: dict[str, float]) -> list[tuple[float, float]]:
    angle, half = math.radians(head["angle_degrees"]), head["side_px"] / 2
    cos, sin = math.cos(angle) * half, math.sin(angle) * half
    x, y = head["center_x_px"], head["center_y_px"]
    square = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return [(x + u * cos - v * sin, y + u * sin + v * cos) for u, v in square]
