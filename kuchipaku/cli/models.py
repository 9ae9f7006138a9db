"""``kuchipaku models``: pose models on this machine, and the import of official weights."""

from __future__ import annotations

import asyncio
import importlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.progress import Progress

from kuchipaku_contract.errors import CancelledByClientError

from .console import people, progress_bars, run

FAMILIES = ("tha1", "tha2", "tha3", "tha4", "tha4-student")
VARIANTS = ("standard_float", "separable_float", "standard_half", "separable_half")
_EXPORT = """make install EXTRAS="pose[export]" (outside of a checkout: kuchipaku-pose[export])"""
_INSTALL = {
    "torch": _EXPORT,
    "onnx": _EXPORT,
}

_folder = click.Path(file_okay=False, path_type=Path)


@click.group()
def models() -> None:
    """List, check and import pose models.

    Packs are found in the folders of KUCHIPAKU_POSE_MODELS.
    """


@models.command("list")
@click.argument("folders", nargs=-1, type=_folder)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(folders: tuple[Path, ...], as_json: bool) -> None:
    """List the packs in FOLDERS, by default in those of KUCHIPAKU_POSE_MODELS."""
    found = run(_call(lambda: _tools().find_packs(folders)))
    if as_json:
        click.echo(json.dumps([_summary(info) for info in found], indent=2))
        return
    if not found:
        people.print("No model packs. KUCHIPAKU_POSE_MODELS names the folders that hold some.")
        return
    rows = [("model", "family", "variant", "licence", "MB", "folder")]
    for row in map(_summary, found):
        size = f"{row['bytes'] / 1e6:.1f}"
        rows.append(
            (row["name"], row["family"], row["variant"] or "", row["licence"], size, row["folder"])
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
        click.echo(line.rstrip())


@models.command()
@click.argument("model")
def show(model: str) -> None:
    """Show the manifest of MODEL: a pack's folder, or its name."""
    info = run(_call(lambda: _tools().describe(_tools().find_pack(model))))
    shown = info.manifest.model_dump(mode="json", exclude_none=True)
    click.echo(json.dumps({"folder": str(info.folder), "bytes": info.nbytes, **shown}, indent=2))


@models.command()
@click.argument("model")
def verify(model: str) -> None:
    """Check MODEL's files against their checksums, open it and render a test picture."""
    info = run(_call(lambda: _tools().verify_pack(_tools().find_pack(model))))
    stages = ", ".join(stage.name for stage in info.manifest.stages)
    people.print(f"[green]good[/] {escape(info.manifest.name)}: {escape(stages)}")


@models.command("import")
@click.option("--family", required=True, type=click.Choice(FAMILIES))
@click.option("--variant", type=click.Choice(VARIANTS), help="For tha3.")
@click.option(
    "--weights",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the author's .pt files.",
)
@click.option("--out", required=True, type=_folder, metavar="PACK", help="Folder to make.")
@click.option("--name", help="Name of the model; by default the family's, or PACK's of a student.")
@click.option(
    "--still-head",
    is_flag=True,
    help="For tha3: compute how the head turns apart from the face. A mouth that moves while the "
    "head is still then leaves that out; frames differ a little from the author's. With a "
    "character.png beside the weights the difference is measured.",
)
@click.option("--replace", is_flag=True, help="Replace a pack that is there.")
def import_(
    family: str,
    variant: str | None,
    weights: Path,
    out: Path,
    name: str | None,
    still_head: bool,
    replace: bool,
) -> None:
    """Make a pack of official talking-head-anime weights.

    You download the weights from their author; docs/pose-models.md says where, and what their
    licences allow. The export is compared with torch, and the pack appears whole or not at all.
    """
    importer = _importer()
    request = importer.ImportRequest(
        family=importer.Family(family),
        weights=weights,
        output=out,
        variant=importer.Variant(variant) if variant else None,
        name=name,
        replace=replace,
        still_head=still_head,
    )
    with progress_bars() as progress:
        stopped = threading.Event()
        tell = _teller(progress, stopped)
        manifest = run(_call(lambda: importer.import_pack(request, tell), stopped))
    check = manifest.verification
    people.print(
        f"differs from {escape(check.against)} by {check.max_error:.1e} at most, "
        f"{check.mean_error:.1e} on average"
    )
    if check.face_psnr_db is not None:
        people.print(
            f"with the head turned apart: {check.face_psnr_db:.1f} dB from the author's frames "
            f"over the face, {check.frame_psnr_db:.1f} dB over all"
        )
    people.print(f"licence {escape(manifest.licence)}: {escape(manifest.attribution)}")
    click.echo(str(out))


def _teller(progress: Progress, stopped: threading.Event) -> Callable[[str, float], None]:
    """Shows steps, and ends the work between two of them when it is no longer wanted."""
    task = progress.add_task("import", total=1.0)

    def tell(step: str, done: float) -> None:
        if stopped.is_set():
            raise CancelledByClientError("Stopped.", reason="STOPPED")
        progress.update(task, description=step, completed=done)

    return tell


async def _call(work: Callable[[], Any], stopped: threading.Event | None = None) -> Any:
    # Beside the event loop, which has to hear signals; it waits for the thread in any case, so
    # that what the thread has begun is cleaned up.
    try:
        return await asyncio.to_thread(work)
    finally:
        if stopped is not None:
            stopped.set()


def _summary(info: Any) -> dict[str, Any]:
    manifest = info.manifest
    return {
        "name": manifest.name,
        "family": manifest.family,
        "variant": manifest.variant,
        "licence": manifest.licence,
        "bytes": info.nbytes,
        "folder": str(info.folder),
    }


def _tools() -> Any:
    return _member("kuchipaku_pose.packtools")


def _importer() -> Any:
    return _member("kuchipaku_pose.tha.importer")


def _member(module: str) -> Any:
    """A part of the pose service, which the public package does without."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing == "kuchipaku":
            raise
        hint = _INSTALL.get(missing, "the extra kuchipaku[standalone]")
        raise click.ClickException(
            f"This needs {missing}, which is not installed. What brings it: {hint}"
        ) from error
