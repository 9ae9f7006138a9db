"""What onnxruntime's TensorRT provider is told: for which shapes to build, and where to keep it.

Building an engine takes minutes, so none is to be built twice, and none used for what it was not
built from.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any, Final

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_pose.onnxfile import parse_model
from kuchipaku_pose.providers.base import ProviderOptions

TF32_OVERRIDE: Final = "NVIDIA_TF32_OVERRIDE"
"""Environment variable that NVIDIA's libraries read when they are loaded."""

KEPT_ENGINES: Final = 64
"""Folders of engines that are kept however long nobody has used them."""
_UNUSED_S: Final = 86400.0
"""The others go when they have not been opened for so long: another process may need them."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def refuse_tf32() -> None:
    """Turn TF32 off for this process, unless the environment says something about it.

    It rounds to ten bits what the parity of float32 packs rests on, TensorRT uses it by default,
    and onnxruntime has an option against that for CUDA alone.
    """
    os.environ.setdefault(TF32_OVERRIDE, "0")


def tensorrt_options(
    graph: bytes, options: ProviderOptions, *, profiled: bool = True
) -> dict[str, Any]:
    """Return the provider options for one graph; makes its folder of engines.

    Args:
        graph: the ONNX bytes that will be opened.
        options: how.
        profiled: whether shapes are given, where they are known.

    Raises:
        FailedPreconditionError: ENGINE_CACHE_UNUSABLE.
    """
    profile = shape_profile(graph, options.max_batch) if profiled else {}
    chosen: dict[str, Any] = {"device_id": options.device} | profile
    if options.engine_cache is not None:
        root = Path(options.engine_cache)
        folder = root / engine_key(graph, profile)
        _use(root, folder)
        chosen |= {
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": True,
            # How long kernels take depends on the GPU alone: one file for all engines.
            "trt_timing_cache_path": str(root),
        }
    return chosen


def shape_profile(graph: bytes, max_batch: int | None) -> dict[str, str]:
    """Return the shapes of 1 to ``max_batch`` rows that an engine is built for.

    Without them onnxruntime builds an engine anew for every batch that is larger or smaller than
    all before. Empty where shapes depend on more than the batch, or nobody knows its bound.
    """
    if max_batch is None:
        return {}
    parsed = parse_model(graph).graph
    weights = {tensor.name for tensor in parsed.initializer}
    shapes: dict[str, list[int]] = {}
    for value in parsed.input:
        batch, *rest = value.type.tensor_type.shape.dim or [None]
        if value.name in weights or (batch is not None and batch.dim_value):
            continue
        sizes = [dim.dim_value for dim in rest]
        if batch is None or not all(sizes) or set(value.name) & set(":,"):
            return {}
        shapes[value.name] = sizes
    if not shapes:
        return {}
    bounds = {"min": 1, "opt": max_batch, "max": max_batch}
    return {
        f"trt_profile_{bound}_shapes": ",".join(
            f"{name}:{'x'.join(map(str, [rows, *sizes]))}" for name, sizes in shapes.items()
        )
        for bound, rows in bounds.items()
    }


def engine_key(graph: bytes, profile: dict[str, str]) -> str:
    """Return the name of the folder for engines of ``graph``, built for ``profile``.

    onnxruntime tells engines apart by the names in a graph and not by its weights: in one folder
    a network that was trained anew would get the engine of the old one.
    """
    digest = hashlib.sha256(graph)
    digest.update(json.dumps([profile, os.environ.get(TF32_OVERRIDE)], sort_keys=True).encode())
    return digest.hexdigest()


def _use(root: Path, folder: Path) -> None:
    """Make ``folder``, or note that it is used again; drop what nobody has used for long."""
    try:
        is_new = not folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
    except OSError as error:
        raise FailedPreconditionError(
            f"TensorRT's engines cannot be kept in {root}: {error.strerror}.",
            reason="ENGINE_CACHE_UNUSABLE",
        ) from error
    if is_new:
        # Another process may be dropping the same ones.
        with contextlib.suppress(FileNotFoundError):
            _drop_unused(root)


def _drop_unused(root: Path) -> None:
    # Nothing is removed that was not made here.
    made = (entry for entry in os.scandir(root) if _DIGEST.fullmatch(entry.name))
    folders = [entry for entry in made if entry.is_dir(follow_symlinks=False)]
    used = sorted(((entry.stat().st_mtime, entry.path) for entry in folders), reverse=True)
    for at, path in used[KEPT_ENGINES:]:
        if at < time.time() - _UNUSED_S:
            shutil.rmtree(path, ignore_errors=True)
