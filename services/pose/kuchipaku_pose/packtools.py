"""What the command line does with packs: list, describe, verify. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kuchipaku_pose.engine import Engine, EngineMemory, EngineOptions
from kuchipaku_pose.manifest import Manifest
from kuchipaku_pose.offline import find_pack, pose_settings
from kuchipaku_pose.pack import discover_packs, load_pack, read_manifest

__all__ = ["PackInfo", "describe", "find_pack", "find_packs", "verify_pack"]


@dataclass(frozen=True)
class PackInfo:
    """A pack, as far as its manifest tells."""

    folder: Path
    manifest: Manifest
    nbytes: int
    """Size of its ONNX files."""


def find_packs(folders: Sequence[Path] = ()) -> list[PackInfo]:
    """Return the packs in ``folders``, by default those of ``KUCHIPAKU_POSE_MODELS``.

    Raises:
        ModelPackError: a manifest is wrong, or two packs have the same name.
        FailedPreconditionError: SETTINGS_INVALID.
    """
    found = discover_packs(folders or pose_settings().models)
    return [describe(folder) for folder in found.values()]


def describe(folder: Path) -> PackInfo:
    """Return what the manifest in ``folder`` says; raises `ModelPackError`."""
    manifest = read_manifest(folder)
    files = [folder / stage.file for stage in manifest.stages]
    return PackInfo(folder, manifest, sum(f.stat().st_size for f in files if f.is_file()))


def verify_pack(folder: Path) -> PackInfo:
    """Check every file of a pack, open it on the CPU and run the engine's self-test.

    Raises:
        KuchipakuError: what is wrong.
    """
    Engine(
        load_pack(folder), EngineOptions(), EngineMemory.of_mib(characters=0, stages=0, frames=0)
    )
    return describe(folder)
