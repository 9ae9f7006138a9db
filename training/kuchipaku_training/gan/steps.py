"""What the commands of `kuchipaku-train gan` do. TensorFlow is imported where it is needed."""

from __future__ import annotations

import argparse
import csv
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_training.gan.draw import draw_faces
from kuchipaku_training.gan.evaluate import evaluate, figure_table
from kuchipaku_training.gan.pictures import Cropping, Faces, open_faces, picture_files, prepare

if TYPE_CHECKING:
    from kuchipaku_training.gan.recipe import Recipe

_INTERRUPTED = 130


def run(options: argparse.Namespace, console: Console) -> int:
    """Run the chosen command. Returns the exit status."""
    chosen = options.command
    if chosen == "draw":
        _draw(options, console)
    if chosen in ("prepare", "all") and (chosen == "prepare" or not _prepared(options)):
        _prepare(options, console)
    if chosen in ("train", "all") and not _train(options, console):
        return _INTERRUPTED
    if chosen in ("evaluate", "all"):
        _evaluate(options, console)
    if chosen in ("export", "all"):
        _export(options, console)
    return 0


def _progress(console: Console) -> Progress:
    text = TextColumn("{task.description}")
    return Progress(text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console)


def _draw(options: argparse.Namespace, console: Console) -> None:
    folder = options.faces or options.work / "faces"
    with _progress(console) as progress:
        row = progress.add_task("faces", total=options.count)
        for count in draw_faces(folder, options.count, options.workers, options.first_seed):
            progress.advance(row, count)


def _prepared(options: argparse.Namespace) -> bool:
    return (options.work / "data" / "faces.npy").exists()


def _prepare(options: argparse.Namespace, console: Console) -> None:
    faces = options.faces or options.work / "faces"
    if not faces.is_dir():
        raise FailedPreconditionError(
            f"{faces} is no folder", reason="FOLDER_MISSING", field="faces"
        )
    cropping = Cropping(
        crop=options.crop,
        view=options.view,
        detector=str(options.heads),
        cascade=str(options.cascade or ""),
        backdrop=_colour(options.backdrop),
    )
    skipped = 0
    with _progress(console) as progress:
        row = progress.add_task("pictures", total=len(picture_files(faces)))
        for one in prepare(faces, options.work / "data", cropping):
            progress.advance(row)
            if one.problem:
                skipped += 1
                console.print(f"{one.file}: {one.problem}", highlight=False)
    found = open_faces(options.work / "data")
    console.print(
        f"{len(found.train)} faces to learn from, {len(found.held)} held out, {skipped} left out",
        highlight=False,
    )


def _colour(text: str) -> tuple[int, int, int]:
    try:
        red, green, blue = bytes.fromhex(text.removeprefix("#"))
    except ValueError as error:
        raise InvalidArgumentError(
            "the backdrop is a colour such as ffe0f0", reason="COLOUR_INVALID", field="backdrop"
        ) from error
    return red, green, blue


def _runs(options: argparse.Namespace) -> Path:
    runs: Path = options.work / "runs" / options.architecture
    return runs


def _needs_tensorflow() -> None:
    if find_spec("tensorflow") is None:
        raise FailedPreconditionError(
            "TensorFlow is not installed: install kuchipaku-training[gan], best into an "
            "environment of its own",
            reason="TENSORFLOW_NOT_INSTALLED",
        )


def _train(options: argparse.Namespace, console: Console) -> bool:
    _needs_tensorflow()
    from kuchipaku_training.gan import train  # noqa: PLC0415 - needs TensorFlow

    settings = train.TrainSettings(
        architecture=options.architecture,
        epochs=options.epochs,
        batch=options.batch,
        learning_rate=options.learning_rate,
        seed=options.seed,
        precision=options.precision,
        augment=options.augment,
    )
    faces = open_faces(options.work / "data")
    train.set_threads(options.threads)
    trainer = train.Trainer(settings, faces, _runs(options), console)
    if trainer.resume():
        console.print(f"resuming at step {trainer.step}", highlight=False)
    return trainer.run()


def _trained(options: argparse.Namespace, faces: Faces) -> tuple[Recipe, int]:
    from kuchipaku_training.gan import train  # noqa: PLC0415 - needs TensorFlow

    return train.loaded(options.architecture, faces, _runs(options))


def _evaluate(options: argparse.Namespace, console: Console) -> None:
    _needs_tensorflow()
    from kuchipaku_training.gan.export import write_model  # noqa: PLC0415 - needs TensorFlow

    faces = open_faces(options.work / "data")
    recipe, _ = _trained(options, faces)
    reports = options.work / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    model = reports / f"{options.architecture}.onnx"
    write_model(recipe, model, {"architecture": options.architecture})
    report = reports / f"{options.architecture}.json"
    examiner = options.heads / "examiner.onnx"
    figures = evaluate(model, faces, examiner, report, options.pictures)
    console.print(figure_table(figures))
    if not figures.ordered:
        console.print("[yellow]The distance does not order these faces: do not trust it.")


def _export(options: argparse.Namespace, console: Console) -> None:
    _needs_tensorflow()
    from kuchipaku_training.gan.export import export_model  # noqa: PLC0415 - needs TensorFlow

    faces = open_faces(options.work / "data")
    recipe, steps = _trained(options, faces)
    folder = options.pack or options.work / "export" / options.architecture
    about: dict[str, Any] = {
        **_logged(_runs(options) / "losses.csv"),
        "architecture": options.architecture,
        "license": options.license,
        "source": options.source,
        "note": options.note,
        "latents": recipe.latent_size,
        "steps": steps,
        "batch": options.batch,
        "samples": steps * options.batch,
        "precision": options.precision,
        "faces": len(faces.train),
        "held": len(faces.held),
    }
    figures = export_model(recipe, about, options.work / "reports", folder)
    console.print(
        f"wrote {folder}: {figures['bytes'] / 1e6:.2f} MB, {figures['milliseconds']:.1f} ms a "
        f"picture; ONNX and TensorFlow differ by at most {figures['parity_max']:.4f}",
        highlight=False,
    )


def _logged(path: Path) -> dict[str, float]:
    """What the last line of a training's log says of its time."""
    if not path.exists():
        return {"seconds": 0.0}
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return {"seconds": float(rows[-1]["seconds"]) if rows else 0.0}
